//! The templates: whole mails from little data, hostile data, and a shop's own files.

use restockd_render::{RecipientValues, RenderError, Rendered, Templates};
use serde_json::{Value, json};

/// A mail, of one context: contact and links are the recipient's own, all else is common.
pub fn mail(templates: &Templates, key: &str, context: &Value) -> Result<Rendered, RenderError> {
    let mut common = context.clone();
    let mut take = |name: &str| common.as_object_mut().unwrap().remove(name).unwrap_or_default();
    let (contact, leave, choose) = (take("contact"), take("unsubscribe_url"), take("preferences_url"));
    let contact: Vec<_> = contact
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, value)| (name.clone(), value.to_string()))
        .collect();
    let own = RecipientValues {
        contact: &contact,
        unsubscribe_url: leave.as_str().unwrap_or_default(),
        preferences_url: choose.as_str().unwrap_or_default(),
    };
    templates.letter(&templates.prepare(key, &common)?, own)
}

pub fn with(files: &[(&str, &str)]) -> Result<Templates, RenderError> {
    Templates::with_overrides(files.iter().map(|(path, text)| ((*path).into(), (*text).into())).collect())
}

fn full() -> Value {
    json!({
        "props": {"product_url": "https://shop.example/c?a=1&b=2", "price": "49 €",
                  "image_url": "https://shop.example/i.png", "headline": "Sale", "body": "One\nTwo",
                  "button_url": "https://shop.example/sale"},
        "contact": {"firstName": "Ann"},
        "list": {"id": "restock-chair-01", "name": "Back in stock — Chair"},
        "sku": "chair-01", "product_name": "Studio chair", "shop_name": "Corner & Shop",
        "unsubscribe_url": "https://shop.example/u?t=1&k=2", "preferences_url": "https://shop.example/p?t=1",
        "postal_address": "1 Road\nTown",
    })
}

#[test]
fn templates_are_shared_between_threads() {
    fn shared<T: Send + Sync>(_: &T) {}
    shared(&Templates::built_in());
}

#[test]
fn the_built_in_mails_are_whole_and_small() {
    let templates = Templates::built_in();
    assert_eq!(templates.keys(), ["announcement", "confirm", "ecommerce/back-in-stock"]);
    assert!(templates.has("announcement") && !templates.has("base") && !templates.has("ecommerce"));
    for key in templates.keys() {
        let mail = mail(&templates, &key, &full()).unwrap();
        assert!(mail.html.len() < 100_000);
        for part in
            ["Corner &amp; Shop", "https://shop.example/u?t=1&amp;k=2", "https://shop.example/p?t=1", "Town"]
        {
            assert!(mail.html.contains(part), "{key}: {part} is not in {}", mail.html);
        }
        for part in ["Corner & Shop", "https://shop.example/u?t=1&k=2", "https://shop.example/p?t=1", "Town"]
        {
            assert!(mail.text.contains(part), "{key}: {part} is not in {}", mail.text);
        }
        assert!(!mail.html.contains("<script") && mail.html.contains("prefers-color-scheme: dark"));
    }
    let mail = mail(&templates, "ecommerce/back-in-stock", &full()).unwrap();
    assert_eq!(mail.subject, "Studio chair is back in stock");
    assert!(mail.html.contains("href=\"https://shop.example/c?a=1&amp;b=2\""));
    assert!(mail.html.contains("src=\"https://shop.example/i.png\""));
    assert!(mail.html.contains("49 €") && mail.text.contains("49 €"));
}

#[test]
fn missing_and_null_values_render_as_nothing() {
    let templates = Templates::built_in();
    for context in
        [json!({}), json!({"props": null, "contact": null, "list": null, "sku": null, "subject": null})]
    {
        for key in templates.keys() {
            let Rendered { subject, text, html } = mail(&templates, &key, &context).unwrap();
            for part in [&subject, &text, &html] {
                assert!(!part.trim().is_empty());
                assert!(!part.contains("none") || part == &html, "{part}");
                assert!(!part.contains("undefined"), "{part}");
            }
            assert!(!html.contains("href=") && !html.contains("<img"));
        }
        for page in ["confirm", "confirmed", "unsubscribe", "unsubscribed", "preferences", "message"] {
            templates.page(page, &context).unwrap();
        }
    }
}

#[test]
fn data_is_never_markup_and_never_a_template() {
    let evil = "<script>alert('x')</script>\"{{ 7 * 7 }}{% include 'mail/base.txt' %}";
    let context = json!({
        "props": {"product_url": "javascript:alert(1)", "image_url": "data:text/html,x", "headline": evil,
                  "body": evil, "button_url": "https://a@evil.example", "button_text": evil, "price": evil},
        "contact": {"firstName": evil}, "list": {"name": evil}, "sku": evil, "product_name": evil,
        "shop_name": evil, "postal_address": evil, "subject": evil,
        "unsubscribe_url": "javascript:alert(1)", "preferences_url": "//evil.example",
        "title": evil, "text": evil, "token": evil, "action": evil, "list_name": evil,
        "rows": [{"id": evil, "name": evil, "subscribed": true}],
    });
    let templates = Templates::built_in();
    let mut pages: Vec<String> =
        ["confirm", "confirmed", "unsubscribe", "unsubscribed", "preferences", "message"]
            .map(|p| templates.page(p, &context).unwrap())
            .into();
    for key in templates.keys() {
        let mail = mail(&templates, &key, &context).unwrap();
        assert!(mail.text.contains("<script>alert('x')</script>"), "text is not escaped");
        assert!(!mail.text.contains("javascript:") && mail.text.contains("{{ 7 * 7 }}"));
        pages.push(mail.html);
    }
    for html in pages {
        assert!(!html.contains("<script"), "{html}");
        assert!(!html.contains("javascript:") && !html.contains("evil.example"), "{html}");
        assert!(html.contains("{{ 7 * 7 }}") && !html.contains("49<"), "{html}");
        assert!(!html.contains("\"{{"), "a quote got out of its attribute: {html}");
    }
}

#[test]
fn a_subject_is_one_line_and_may_be_given() {
    let templates = Templates::built_in();
    let subject = |context: Value| mail(&templates, "ecommerce/back-in-stock", &context).unwrap().subject;
    assert_eq!(subject(json!({"product_name": "a\r\nBcc: x@y\u{202e}\0"})), "a Bcc: x@y is back in stock");
    assert_eq!(subject(json!({"subject": " Yours\nnow ", "product_name": "a"})), "Yours now");
    assert_eq!(subject(json!({"subject": "{{ sku }}", "sku": "s"})), "{{ sku }}");
    assert_eq!(subject(json!({"subject": "\r\n", "sku": "s"})), "s is back in stock");
    let long = subject(json!({"product_name": "x".repeat(1_000)}));
    assert!(long.ends_with("x… is back in stock") && long.chars().count() < 200, "{long}");
    assert_eq!(subject(json!({"subject": "x".repeat(1_000)})).chars().count(), 250);
}

#[test]
fn the_pages_ask_by_forms() {
    let templates = Templates::built_in();
    let action = "/v1/email/unsubscribe?token=t1";
    let ask = templates
        .page("unsubscribe", &json!({"token": "t1", "list_name": "A & B", "action": action}))
        .unwrap();
    assert!(ask.contains("<form method=\"post\" action=\"/v1/email/unsubscribe?token=t1\">"), "{ask}");
    assert!(ask.contains("Leave this list</button>") && ask.contains("A &amp; B"));
    assert!(ask.contains("name=\"scope\" value=\"all\"") && ask.contains("name=\"token\" value=\"t1\""));
    let rows =
        json!([{"id": "a", "name": "A", "subscribed": true}, {"id": "b", "name": "B", "subscribed": false}]);
    let choose = templates
        .page("preferences", &json!({"token": "t", "rows": rows, "unsubscribed_all": false}))
        .unwrap();
    assert!(
        choose.contains("name=\"list\" value=\"a\" checked>")
            && choose.contains("name=\"list\" value=\"b\">")
    );
    assert_eq!(choose.matches("name=\"shown\"").count(), 2);
    assert!(choose.contains("name=\"all\" value=\"stop\""));
    let stopped = templates.page("preferences", &json!({"rows": [], "unsubscribed_all": true})).unwrap();
    assert!(stopped.contains("name=\"all\" value=\"start\"") && !stopped.contains("checkbox\" "));
    let message = templates.page("message", &json!({"title": "T", "text": "<x>"})).unwrap();
    assert!(message.contains("<h1>T</h1>") && message.contains("&lt;x&gt;"));
    assert_eq!(templates.page("nope", &json!({})), Err(RenderError::Unknown("pages/nope.html".into())));
    assert_eq!(mail(&templates, "nope", &json!({})), Err(RenderError::Unknown("nope".into())));
    for page in ["confirm", "confirmed", "unsubscribe", "unsubscribed", "preferences", "message"] {
        let html = templates.page(page, &full()).unwrap();
        assert!(
            html.contains("name=\"viewport\"") && html.contains("color-scheme") && !html.contains("<script")
        );
    }
}

#[test]
fn a_thousand_rows_fit_on_a_page() {
    let rows: Vec<_> =
        (0..1_000).map(|n| json!({"id": format!("restock-{n}"), "name": format!("Chair {n}")})).collect();
    let page = Templates::built_in().page("preferences", &json!({"rows": rows})).unwrap();
    assert_eq!(page.matches("checkbox\"").count(), 1_000);
}

#[test]
fn a_shop_replaces_and_adds_files() {
    let templates = with(&[
        ("mail/ecommerce/back-in-stock/subject.txt", "\u{feff}Da: {{ product_name }}"),
        ("mail/spring/subject.txt", "Spring"),
        ("mail/spring/body.txt", "{{ props.x }}"),
        ("mail/spring/body.html", "{% include 'mail/footer.html' %}{{ props.x }}"),
        ("mail/footer.html", "<hr>"),
        ("pages/message.html", "{{ title }}!"),
        ("README.md", "{% not a template"),
        ("mail/spring/.draft.html", "{% not a template"),
    ])
    .unwrap();
    assert_eq!(templates.keys(), ["announcement", "confirm", "ecommerce/back-in-stock", "spring"]);
    let stock = mail(&templates, "ecommerce/back-in-stock", &full()).unwrap();
    assert_eq!(stock.subject, "Da: Studio chair");
    assert!(stock.text.starts_with("Hello Ann,") && stock.html.contains("Hello Ann,"), "{}", stock.text);
    assert!(stock.text.contains("Studio chair is back in stock."), "the other files stay");
    let spring = mail(&templates, "spring", &json!({"props": {"x": "<&>"}})).unwrap();
    assert_eq!((spring.text.as_str(), spring.html.as_str()), ("<&>", "<hr>&lt;&amp;&gt;"));
    assert_eq!(templates.page("message", &json!({"title": "T"})).unwrap(), "T!");
}

#[test]
fn a_mistake_is_named_with_file_and_line() {
    let broken = with(&[("mail/announcement/body.html", "<p>\n\n{% if x y %}")]).unwrap_err();
    let RenderError::Mistake { file, line, .. } = &broken else { panic!("{broken:?}") };
    assert_eq!((file.as_str(), *line), ("mail/announcement/body.html", 3));
    assert!(broken.to_string().starts_with("mail/announcement/body.html, line 3: "), "{broken}");
    let missing = with(&[("mail/spring/subject.txt", "x")]).unwrap_err();
    assert!(
        missing.to_string().contains("mail/spring/body.txt is missing")
            || missing.to_string().contains("body")
    );
    for path in ["mails/x/subject.txt", "mail/../secret.txt", "subject.txt", "mail//x.txt"] {
        assert_eq!(with(&[(path, "x")]).unwrap_err(), RenderError::Misplaced(path.into()));
    }
    let fails = with(&[("mail/announcement/body.txt", "a\n\n{{ props.headline | nosuch }}")]);
    let error = fails.and_then(|t| mail(&t, "announcement", &full())).unwrap_err();
    assert!(error.to_string().starts_with("mail/announcement/body.txt, line 3: "), "{error}");
    let inner = with(&[("mail/base.txt", "a\n{{ 1 / 0 }}")]).unwrap();
    let error = mail(&inner, "announcement", &full()).unwrap_err();
    assert!(error.to_string().starts_with("mail/base.txt, line 2: "), "{error}");
}

#[test]
fn no_template_runs_or_grows_without_end() {
    let sources = [
        "{% for a in range(9999) %}{% for b in range(9999) %}{% endfor %}{% endfor %}",
        "{% for a in range(9999) %}{{ 'x' * 1000 }}{% endfor %}",
        "{% set x = 'x' * 1000000000 %}",
        "{% include 'mail/announcement/body.txt' %}",
        "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
        "{{ 'x' * 300000 }}",
    ];
    for source in sources {
        let templates = with(&[("mail/announcement/body.txt", source)]).unwrap();
        let error = mail(&templates, "announcement", &full()).unwrap_err();
        assert!(matches!(error, RenderError::Failed { .. }), "{source}: {error:?}");
        assert!(mail(&templates, "ecommerce/back-in-stock", &full()).is_ok());
    }
}
