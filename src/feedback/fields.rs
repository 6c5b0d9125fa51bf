//! The fields of reports: groups of `Name: value` lines, and addresses with their type in front.

use mail_parser::MessageParser;

use super::CLAIMS_MAX;
use restockd_core::Email;

/// Groups of fields that are read in one part.
const GROUPS_MAX: usize = 64;

/// One group of fields, with unfolded values.
#[derive(Debug, Default)]
pub(super) struct Fields(Vec<(String, String)>);

impl Fields {
    /// The fields at the start of `bytes`.
    pub(super) fn read(bytes: &[u8]) -> Self {
        let parsed = MessageParser::new().default_header_raw().parse_headers(bytes);
        let Some(message) = parsed else { return Self::default() };
        let fields = message.headers_raw().take(1024);
        Self(fields.map(|(name, value)| (name.to_ascii_lowercase(), one_line(value))).collect())
    }

    /// The first value of a field; the name is in lower case.
    pub(super) fn get<'a>(&'a self, name: &'a str) -> Option<&'a str> {
        self.all(name).next()
    }

    /// All values of a field.
    pub(super) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(held, _)| held == name).map(|(_, value)| value.as_str())
    }
}

/// The groups of a status part, separated by blank lines.
pub(super) fn groups(bytes: &[u8]) -> Vec<Fields> {
    let mut groups = Vec::new();
    let (mut start, mut at) = (0, 0);
    for line in bytes.split_inclusive(|b| *b == b'\n') {
        let blank = line.trim_ascii().is_empty();
        let end = at;
        at += line.len();
        if blank {
            push(&mut groups, bytes.get(start..end));
            start = at;
        }
    }
    push(&mut groups, bytes.get(start..));
    groups
}

/// Reads one group, unless it is empty or there are too many.
fn push(groups: &mut Vec<Fields>, bytes: Option<&[u8]>) {
    if let Some(bytes) = bytes.filter(|bytes| !bytes.trim_ascii().is_empty())
        && groups.len() < GROUPS_MAX
    {
        groups.push(Fields::read(bytes));
    }
}

/// An address as reports write it: `rfc822; <ann@shop.example>` or `ann@shop.example`.
pub(super) fn address(text: &str) -> Option<Email> {
    let bare = text.rsplit_once(';').map_or(text, |(_, address)| address).trim();
    let bare = match (bare.rfind('<'), bare.rfind('>')) {
        (Some(open), Some(close)) => bare.get(open + 1..close)?,
        _ => bare,
    };
    Email::parse(bare.trim_matches('"'))
}

/// Possible bounce tokens in the addresses in `text`: what follows the last `+` of a local part.
pub(super) fn tokens(text: &str) -> impl Iterator<Item = String> {
    let words = text.split(|c: char| c.is_whitespace() || "<>,;()\"[]".contains(c));
    let local = words.filter_map(|word| word.rsplit_once('@').map(|(local, _)| local));
    let token = local.filter_map(|local| local.rsplit_once('+').map(|(_, token)| token));
    token.filter(|token| plain(token)).take(CLAIMS_MAX).map(str::to_owned)
}

/// Possible link tokens in `text`: what follows `?token=`, up to a character that no token has.
pub(super) fn links(text: &str) -> impl Iterator<Item = String> {
    let after = text.split("token=").skip(1);
    let token = after.map(|rest| {
        let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '-' || c == '_'));
        rest.get(..end.unwrap_or(rest.len())).unwrap_or_default()
    });
    token.filter(|token| (16..=512).contains(&token.len())).take(CLAIMS_MAX).map(str::to_owned)
}

/// Whether a text has the characters and the length of a token.
pub(super) fn plain(token: &str) -> bool {
    (16..=128).contains(&token.len()) && token.bytes().all(|b| b.is_ascii_alphanumeric())
}

/// A text in one line: folds and control characters become single blanks.
pub(super) fn one_line(text: &str) -> String {
    let words = text.split(|c: char| c.is_whitespace() || c.is_control());
    words.filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}
