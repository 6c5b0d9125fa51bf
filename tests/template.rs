//! `restockd template` with the real binary: what is listed, rendered, checked and sent.
#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::process::Command;

/// Runs the binary in a directory; exit code, standard output, standard error.
fn run(dir: &Path, args: &[&str]) -> (i32, String, String) {
    let out = Command::new(env!("CARGO_BIN_EXE_restockd"))
        .arg("template")
        .args(args)
        .current_dir(dir)
        .env_clear()
        .env("RESTOCKD_MAIL", "folder:./outbox")
        .output()
        .unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (out.status.code().unwrap(), text(out.stdout), text(out.stderr))
}

/// A directory with files in it.
fn place(files: &[(&str, &str)]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (path, text) in files {
        let path = dir.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    dir
}

/// A mail of the shop's own, and a built-in one with another body.
const OWN: &[(&str, &str)] = &[
    ("t/mail/spring/subject.txt", "Spring at {{ shop_name }}"),
    ("t/mail/spring/body.txt", "{{ contact.firstName }}: {{ props.x }} {{ unsubscribe_url }}"),
    (
        "t/mail/spring/body.html",
        "<p>{{ contact.firstName }}: {{ props.x }}</p><a href=\"{{ unsubscribe_url }}\">x</a>",
    ),
    ("t/mail/announcement/body.txt", "{{ props.body }} {{ unsubscribe_url }}"),
    ("t/pages/thanks.html", "Thanks, says {{ shop_name }}"),
    ("t/notes/picture.png", "\u{0}not a template"),
];

#[test]
fn every_mail_and_page_is_listed_with_whose_it_is() {
    let dir = place(OWN);
    let (code, out, _) = run(dir.path(), &["list", "--folder", "t"]);
    let line = |words: &str| out.lines().any(|line| line.split_whitespace().eq(words.split_whitespace()));
    assert_eq!(code, 0);
    assert!(line("mail ecommerce/back-in-stock built in"), "{out}");
    assert!(line("mail announcement overridden: mail/announcement/body.txt"), "{out}");
    assert!(line("mail spring own") && line("page pages/thanks own"), "{out}");
    assert!(line("page pages/preferences built in") && line("part mail/base.html built in"), "{out}");
    let (_, out, _) = run(dir.path(), &["list"]);
    assert!(!out.contains("own") && !out.contains("overridden"), "{out}");
}

#[test]
fn a_mail_is_rendered_whole_or_by_parts_without_an_engine() {
    let dir =
        place(&[("p.json", r#"{"product_name":"<Lamp>","price":5}"#), ("c.json", r#"{"first_name":"Bo"}"#)]);
    let key = "ecommerce/back-in-stock";
    let part = |part: &str| {
        let args = ["render", key, "--props", "p.json", "--contact", "c.json", "--part", part];
        let (code, out, err) = run(dir.path(), &args);
        assert_eq!(code, 0, "{err}");
        out
    };
    assert_eq!(part("subject"), "<Lamp> is back in stock\n");
    assert!(part("text").starts_with("Hello Bo,\n\n<Lamp> is back in stock.\nPrice: 5\n"));
    let html = part("html");
    assert!(
        html.contains("&lt;Lamp&gt;") && !html.contains("<Lamp>") && html.ends_with("</html>\n"),
        "{html}"
    );
    let (_, whole, _) = run(dir.path(), &["render", key]);
    assert!(whole.starts_with("Subject: Studio chair in oak is back in stock\n\nHello Ann,\n"), "{whole}");
    assert!(whole.contains("src=\"https://shop.example/images/chair-01.jpg\"") && whole.contains("€ 249.00"));
    let (code, out, _) = run(dir.path(), &["render", key, "--out", "o"]);
    assert_eq!((code, out.as_str()), (0, "o/subject.txt\no/body.txt\no/body.html\n"));
    assert!(std::fs::read_to_string(dir.path().join("o/body.html")).unwrap().contains("<!doctype html>"));
    assert!(!dir.path().join("outbox").exists() && !dir.path().join("data").exists(), "it leaves no trace");
}

#[test]
fn a_page_is_rendered_and_a_name_that_is_none_says_what_to_do() {
    let dir = place(&[("p.json", r#"{"saved": true}"#), ("bad.json", "[]")]);
    let (code, out, _) = run(dir.path(), &["render", "pages/preferences", "--props", "p.json"]);
    assert!(code == 0 && out.contains("Saved.") && out.contains("Lamp"), "{out}");
    for (args, says) in [
        (vec!["render", "nope"], "there is no mail or page \"nope\"; `restockd template list` shows all"),
        (vec!["render", "pages/base"], "there is no mail or page"),
        (vec!["render", "preferences", "--part", "text"], "a page has one part, html"),
        (vec!["render", "announcement", "--props", "bad.json"], "bad.json is not a JSON object"),
        (vec!["render", "announcement", "--props", "none.json"], "cannot read none.json"),
        (vec!["render", "announcement", "--list", "nowhere"], "neither declared nor restock-<sku>"),
        (vec!["render", "announcement", "--folder", "none"], "cannot read none"),
        (vec!["send-test", "pages/message", "--to", "a@b.example"], "there is no mail"),
        (vec!["send-test", "announcement", "--to", "nobody"], "is not an address"),
    ] {
        let (code, _, err) = run(dir.path(), &args);
        assert!(code == 1 && err.contains(says), "{args:?}: {code} {err}");
    }
    assert!(!dir.path().join("outbox").exists());
}

#[test]
fn a_check_names_every_mistake_with_file_and_line() {
    let dir = place(OWN);
    let (code, out, err) = run(dir.path(), &["check", "--folder", "t"]);
    assert_eq!((code, out.as_str()), (0, "no mistake in t\n"), "{err}");
    let dir = place(&[
        ("t/mail/announcement/body.html", "<p>\n\n{% if x y %}"),
        ("t/mail/base.txt", "a\n{% block %}"),
        ("t/mail/spring/subject.txt", "x"),
        ("t/subject.txt", "x"),
    ]);
    let (code, out, _) = run(dir.path(), &["check", "--folder", "t"]);
    assert_eq!(code, 1, "{out}");
    for says in [
        "mistake: mail/announcement/body.html, line 3: ",
        "mistake: mail/base.txt, line 2: ",
        "mistake: the mail spring is not complete: mail/spring/body.txt is missing",
        "mistake: the mail spring is not complete: mail/spring/body.html is missing",
        "mistake: subject.txt is not used",
    ] {
        assert!(out.contains(says), "{says:?} is not in {out}");
    }
    let (code, _, err) = run(dir.path(), &["render", "announcement", "--folder", "t"]);
    assert!(code == 1 && err.contains("mail/announcement/body.html, line 3: "), "{err}");
}

#[test]
fn a_check_sees_what_only_rendering_shows() {
    let dir = place(&[
        ("t/mail/spring/subject.txt", "x"),
        ("t/mail/spring/body.txt", "a\n{{ props.body | nosuch }}"),
        ("t/mail/spring/body.html", "<p>{{ unsubscribe_url }}"),
        ("t/mail/bare/subject.txt", "x"),
        ("t/mail/bare/body.txt", "{{ unsubscribe_url }}"),
        ("t/mail/bare/body.html", "{{ 'x' * 120000 }}"),
        ("t/pages/thanks.html", "\n{{ 1 / 0 }}"),
    ]);
    let (code, out, _) = run(dir.path(), &["check", "--folder", "t"]);
    assert_eq!(code, 1, "{out}");
    for says in [
        "mistake: mail/spring/body.txt, line 2: ",
        "mistake: pages/thanks.html, line 2: ",
        "note: bare: its HTML has no link to leave the list",
        "note: bare: its HTML is 120 kB",
    ] {
        assert!(out.contains(says), "{says:?} is not in {out}");
    }
    assert_eq!(out.matches("mail/spring/body.txt").count(), 1, "{out}");
}

#[test]
fn a_test_letter_goes_out_by_the_configured_mailer_and_changes_nothing_else() {
    let dir = place(OWN);
    let to = ["send-test", "spring", "--folder", "t", "--to", "ann@shop.example", "bob@shop.example"];
    let (code, out, err) = run(dir.path(), &to);
    assert_eq!(code, 0, "{err}");
    assert_eq!(out.matches(": taken: ").count(), 2, "{out}");
    let letters: Vec<String> = std::fs::read_dir(dir.path().join("outbox"))
        .unwrap()
        .map(|file| std::fs::read_to_string(file.unwrap().path()).unwrap())
        .collect();
    assert_eq!(letters.len(), 2);
    for letter in &letters {
        assert!(letter.contains("Subject: [TEST] Spring at The Chair Shop\r\n"), "{letter}");
        assert!(!letter.contains("List-Unsubscribe"), "a test has no token that could be pressed");
    }
    for name in ["ann", "bob"] {
        assert_eq!(letters.iter().filter(|l| l.contains(&format!("To: <{name}@shop.example>"))).count(), 1);
    }
    assert!(!dir.path().join("data").exists());
    let mut many = vec!["send-test", "spring", "--folder", "t", "--to"];
    many.extend(["a@b.example"; 11]);
    let (code, _, err) = run(dir.path(), &many);
    assert!(code == 1 && err.contains("at most 10 addresses"), "{err}");
}

#[test]
fn settings_of_the_engine_are_those_of_the_picture() {
    let toml = "shop_name = \"Corner\"\ntemplates = \"t\"\n[rule]\nsubject = \"{product}!\"\n\
        product_url = \"https://shop.example/p/{sku}\"\n\
        [list.\"restock-spring-*\"]\ntemplate = \"spring\"\nsubject = \"\"\n";
    let dir = place(&[OWN, &[("r.toml", toml)]].concat());
    let subject = |key: &str, list: &str| {
        let args = ["render", key, "--config", "r.toml", "--list", list, "--part", "subject"];
        let (code, out, err) = run(dir.path(), &args);
        assert_eq!(code, 0, "{err}");
        out
    };
    assert_eq!(subject("ecommerce/back-in-stock", "restock-a"), "Studio chair in oak!\n");
    assert_eq!(subject("spring", "restock-spring-1"), "Spring at Corner\n");
    let args = [
        "render",
        "ecommerce/back-in-stock",
        "--config",
        "r.toml",
        "--list",
        "restock-a b/c",
        "--part",
        "text",
    ];
    let (_, out, _) = run(dir.path(), &args);
    assert!(out.contains("https://shop.example/p/a%20b%2Fc\n"), "{out}");
    let wrong = toml.replace("\"spring\"", "\"sprung\"");
    std::fs::write(dir.path().join("r.toml"), wrong).unwrap();
    let (code, out, _) = run(dir.path(), &["check", "--config", "r.toml"]);
    let says = "mistake: list.restock-spring-*.template: there is no template \"sprung\"";
    assert!(code == 1 && out.contains(says), "{out}");
}
