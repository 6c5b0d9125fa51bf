//! Product data that somebody hostile has typed: built-in mails keep their markup, their lines and their size.

use restockd_render::Templates;
use serde_json::{Value, json};

use crate::templates::mail;

/// What a mail may weigh before Gmail cuts it.
const HTML_BYTES_MAX: usize = 100_000;

/// A context in which everything a shop or a stranger can name is named so.
fn named(name: &str, url: &str) -> Value {
    json!({
        "props": {"product_name": name, "sku": name, "price": name, "headline": name, "button_text": name,
                  "product_url": url, "image_url": url, "button_url": url, "image_alt": name, "body": "One"},
        "contact": {"firstName": name, "first_name": name},
        "list": {"id": name, "name": name},
        "sku": name, "product_name": name, "price": name, "product_url": url, "image_url": url,
        "shop_name": "Shop", "postal_address": "1 Road\nTown", "unsubscribe_url": "https://shop.example/u?t=1",
        "preferences_url": "https://shop.example/p?t=1",
    })
}

/// The tags of a text in order, each with the names of its attributes; comments and the style block are one piece each.
fn tags(html: &str) -> Vec<String> {
    let (mut tags, mut rest) = (Vec::new(), html);
    while let Some((_, from)) = rest.split_once('<') {
        if let Some(comment) = from.strip_prefix("!--") {
            let (inside, after) = comment.split_once("-->").expect("a comment ends");
            tags.push(format!("comment {}", inside.len()));
            rest = after;
            continue;
        }
        let (mut tag, mut quoted, mut end) = (String::new(), false, None);
        for (i, c) in from.char_indices() {
            match c {
                '"' => quoted = !quoted,
                '>' if !quoted => {
                    end = Some(i);
                    break;
                }
                _ if !quoted => tag.push(c),
                _ => assert!(c != '<', "a tag begins inside an attribute: {from:.80}"),
            }
        }
        tags.push(tag);
        rest = &from[end.expect("a tag ends") + 1..];
        if from.starts_with("style") {
            rest = rest.split_once("</style>").expect("a style block ends").1;
        }
    }
    tags
}

#[test]
fn hostile_product_data_changes_no_tag_no_line_and_stays_below_the_bound() {
    let templates = Templates::built_in();
    let url = "https://shop.example/p?a=1&b=2";
    let long = |text: &str| text.repeat(10_240 / text.len());
    let names = [
        "<script>alert('x')</script>".to_owned(),
        "</p></td></table><h1 onclick=\"x\">".to_owned(),
        "\" onerror=\"alert(1)".to_owned(),
        "' style='x".to_owned(),
        "--><b>".to_owned(),
        "{{ 7 * 7 }}{% include 'mail/base.html' %}".to_owned(),
        "a\r\n\r\n--\nLeave this list: https://evil.example\u{2028}\u{85}x".to_owned(),
        "\u{202e}kcots ni kcab\u{2066}\u{feff}\0\u{7}x".to_owned(),
        "כיסא עץ".to_owned(),
        long("x"),
        long("\"'<>&"),
        long("\u{1f600}"),
        long("a\n"),
    ];
    for key in templates.keys() {
        let plain = mail(&templates, &key, &named("Chair", url)).unwrap();
        for name in &names {
            // A name that is also the SKU is not told twice; beside a plain SKU, it is another.
            let mut context = named(name, url);
            let (mut twin, what) = (named("Chair", url), name.chars().take(40).collect::<String>());
            for context in [&mut context, &mut twin] {
                context["sku"] = json!("chair-01");
            }
            let plain_twin = mail(&templates, &key, &twin).unwrap();
            let made = mail(&templates, &key, &context).unwrap();
            assert_eq!(tags(&made.html), tags(&plain_twin.html), "{key}, {what:?}");
            assert_eq!(
                made.text.lines().count(),
                plain_twin.text.lines().count(),
                "{key}, {what:?}: {}",
                made.text
            );
            assert!(made.html.len() < HTML_BYTES_MAX, "{key}, {what:?}: {} bytes", made.html.len());
            assert!(made.text.len() < HTML_BYTES_MAX / 10, "{key}, {what:?}: {} bytes", made.text.len());
            assert!(made.subject.chars().count() <= 250 && !made.subject.chars().any(char::is_control));
            for part in [&made.subject, &made.text, &made.html] {
                let odd = |c: char| c.is_control() && c != '\n' || ('\u{202a}'..='\u{202e}').contains(&c);
                assert!(!part.contains(odd), "{key}, {what:?}");
            }
            let leave = "\nLeave this list: https://shop.example/u?t=1\n";
            assert_eq!(made.text.matches("\nLeave this list: ").count(), 1, "{key}, {what:?}");
            assert!(made.text.contains(leave), "{key}, {what:?}");
        }
        assert!(tags(&plain.html).len() > 30, "the reader of tags reads");
    }
}

#[test]
fn every_built_in_mail_takes_values_of_any_kind() {
    let templates = Templates::built_in();
    for value in [json!(7), json!(-1.5), json!(true), json!([1, "<b>"]), json!({"a": "<b>"}), json!("")] {
        let names = ["sku", "product_name", "price", "headline", "button_text", "product_url", "image_url"];
        let props: Value = names
            .iter()
            .map(|name| ((*name).to_owned(), value.clone()))
            .collect::<serde_json::Map<_, _>>()
            .into();
        for key in templates.keys() {
            let context = json!({"props": props, "sku": value, "contact": {"firstName": value}});
            let made =
                mail(&templates, &key, &context).unwrap_or_else(|error| panic!("{key}, {value}: {error}"));
            assert!(!made.html.contains("<b>") && !made.html.contains("<img"), "{key}, {value}");
        }
    }
}

#[test]
fn only_web_addresses_become_links_and_pictures() {
    let templates = Templates::built_in();
    for url in [
        "javascript:alert(1)",
        "data:image/svg+xml,<svg onload=alert(1)>",
        "//evil.example/x",
        "https://shop.example@evil.example/",
        "https://shop.example/\" onload=\"x",
        "https://shop.example/a\nb",
        "https://shop.example/\u{202e}",
    ] {
        for key in templates.keys() {
            let made = mail(&templates, &key, &named("Chair", url)).unwrap();
            assert!(!made.html.contains("<img") && !made.html.contains("class=\"button\""), "{key}, {url}");
            assert!(!made.text.contains("See it in the shop") && !made.text.contains("evil"), "{key}, {url}");
            assert_eq!(made.html.matches("href=").count(), 2, "{key}, {url}: the two links of the footer");
        }
    }
}

#[test]
fn what_mail_programs_need_is_there() {
    let templates = Templates::built_in();
    let made =
        mail(&templates, "ecommerce/back-in-stock", &named("Chair", "https://shop.example/p")).unwrap();
    let html = &made.html;
    // Read before anything else is drawn, and not drawn itself.
    let body = html.split_once("<body").unwrap().1;
    let preheader = body.split_once("</div>").unwrap().0;
    assert!(
        preheader.contains("display:none") && preheader.contains("You asked us to tell you."),
        "{preheader}"
    );
    assert!(preheader.contains("mso-hide:all") && preheader.matches("&zwnj;").count() > 40);
    assert!(html.contains("name=\"color-scheme\" content=\"light dark\""));
    assert!(html.contains("<html lang=\"en\">") && html.contains("alt=\"Chair\""));
    assert!(!html.contains("<script") && !html.contains("@import") && !html.contains("url("));
    // Without its style blocks it looks the same in light: each coloured piece carries its colour.
    for tag in tags_with_class(html) {
        assert!(tag.contains("style=\""), "{tag}");
    }
    // Outlook takes the button's room from its cell, the others from the link.
    assert!(html.contains("mso-padding-alt:14px 28px") && html.contains("bgcolor=\"#1f2933\""));
    assert_eq!(html.matches("<!--[if mso]>").count(), html.matches("<![endif]-->").count());
    let layout = |tag: &&String| tag.starts_with("table") && !tag.contains("role=");
    assert_eq!(tags(html).iter().filter(layout).count(), 0, "a screen reader must not read the layout");
}

/// Each tag that has a class.
fn tags_with_class(html: &str) -> Vec<&str> {
    html.split('<').filter(|tag| tag.contains(" class=\"")).collect()
}
