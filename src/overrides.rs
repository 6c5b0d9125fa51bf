//! Reads the folder of a shop's own templates for [`Templates::with_overrides`].
//!
//! Only files that can be templates are opened: pictures, notes and hidden files may be among them. Everything is bounded,
//! and going over a bound is an error: silently skipping a file would make a mail look different from what its author
//! believes.
//!
//! [`Templates::with_overrides`]: restockd_render::Templates::with_overrides

use std::path::{Path, PathBuf};

/// Depth of nested folders; a link that leads back to its own folder ends here.
const DEPTH_MAX: usize = 8;
const FILES_MAX: usize = 1000;
const FILE_BYTES_MAX: u64 = 1 << 20;

/// Why the folder could not be read.
#[derive(Debug, thiserror::Error)]
pub enum OverridesError {
    /// The system reports an error.
    #[error("cannot read {path}: {source}")]
    File { path: PathBuf, source: std::io::Error },
    /// The file is not UTF-8 text.
    #[error("{0} is not UTF-8; save it as UTF-8")]
    NotText(PathBuf),
    /// There is more than a folder of templates holds.
    #[error("{path} {what}; is it the folder of templates?")]
    TooMuch {
        path: PathBuf,
        /// Which bound was exceeded.
        what: &'static str,
    },
}

/// All templates below a folder: the path inside it, and the text.
///
/// # Errors
/// When a file cannot be read, or when there is more than a folder of templates holds.
pub fn read(folder: &Path) -> Result<Vec<(String, String)>, OverridesError> {
    let mut files = Vec::new();
    walk(folder, folder, 0, &mut files)?;
    files.sort();
    Ok(files)
}

fn walk(
    root: &Path,
    folder: &Path,
    depth: usize,
    files: &mut Vec<(String, String)>,
) -> Result<(), OverridesError> {
    let failed = |path: &Path, source| OverridesError::File { path: path.to_owned(), source };
    let too_much = |path: &Path, what| OverridesError::TooMuch { path: path.to_owned(), what };
    for entry in std::fs::read_dir(folder).map_err(|source| failed(folder, source))? {
        let path = entry.map_err(|source| failed(folder, source))?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if name.starts_with('.') {
            continue;
        }
        let about = std::fs::metadata(&path).map_err(|source| failed(&path, source))?;
        if about.is_dir() {
            if depth == DEPTH_MAX {
                return Err(too_much(&path, "lies more than 8 folders deep"));
            }
            walk(root, &path, depth + 1, files)?;
        } else if about.is_file() && (name.ends_with(".txt") || name.ends_with(".html")) {
            if files.len() == FILES_MAX {
                return Err(too_much(root, "holds more than 1,000 templates"));
            }
            if about.len() > FILE_BYTES_MAX {
                return Err(too_much(&path, "is larger than 1 MiB"));
            }
            let bytes = std::fs::read(&path).map_err(|source| failed(&path, source))?;
            let text = String::from_utf8(bytes).map_err(|_| OverridesError::NotText(path.clone()))?;
            let inside = path.strip_prefix(root).unwrap_or(&path).to_string_lossy().into_owned();
            files.push((inside, text));
        }
    }
    Ok(())
}
