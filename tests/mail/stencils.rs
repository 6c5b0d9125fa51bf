//! Letters made from a stencil are the letters that rendering whole makes, whatever the templates do.

use restockd_render::{RecipientValues, RenderError, Rendered, Templates};
use serde_json::json;

use super::templates::with;

/// A recipient: properties, and two links that differ from everybody's.
fn one(
    templates: &Templates,
    prepared: &restockd_render::PreparedCampaign,
    n: usize,
    contact: &[(String, String)],
) -> Result<Rendered, RenderError> {
    let own = RecipientValues {
        contact,
        unsubscribe_url: &format!("https://shop.example/u?a=1&token=aB{n:04}zZ"),
        preferences_url: &format!("https://shop.example/p?token={n:04}'Q"),
    };
    templates.letter(prepared, own)
}

/// Forty letters of one campaign, and each by itself.
fn same_as_whole(files: &[(&str, &str)], key: &str) {
    let templates = with(files).unwrap();
    let values = json!({ "product_name": "Chair & Co", "shop_name": "Shop", "postal_address": "Road\nTown",
                         "props": { "price": "49 €" } });
    let campaign = templates.prepare(key, &values).unwrap();
    let contacts = [
        vec![],
        vec![("firstName".to_owned(), "\"Ann\"".to_owned()), ("plan".to_owned(), "\"gold\"".to_owned())],
        vec![("firstName".to_owned(), "\"Ann\"".to_owned())],
        vec![("firstName".to_owned(), "\"<b>\u{fdd0}\"".to_owned())],
        vec![("firstName".to_owned(), "null".to_owned()), ("plan".to_owned(), "7".to_owned())],
    ];
    for n in 0..40 * contacts.len() {
        let contact = &contacts[n % contacts.len()];
        let by_itself = one(&templates, &templates.prepare(key, &values).unwrap(), n, contact);
        let letter = one(&templates, &campaign, n, contact);
        assert!(letter == by_itself, "{files:?}, letter {n}");
    }
}

#[test]
fn the_built_in_mails_are_the_same_from_a_stencil() {
    for key in ["announcement", "ecommerce/back-in-stock"] {
        same_as_whole(&[], key);
    }
}

#[test]
fn whatever_a_template_does_with_a_link_or_a_contact_its_letters_are_right() {
    let bodies = [
        "{{ unsubscribe_url }}{{ preferences_url | safe }}",
        "{{ unsubscribe_url | length }} {{ preferences_url | upper }}",
        "{{ unsubscribe_url ~ '&x=1' }}",
        "{{ unsubscribe_url | replace('u', 'v') }}",
        "{{ unsubscribe_url | last }}",
        "{% if '7zZ' in unsubscribe_url %}seven{% else %}other{% endif %}",
        "{{ unsubscribe_url is string }} {{ unsubscribe_url is defined }}",
        "{{ unsubscribe_url[-4:] }}",
        "{{ unsubscribe_url.upper() }}",
        "{{ unsubscribe_url is string and preferences_url.size }}",
        "{{ [unsubscribe_url, preferences_url] | join(' ') }} {{ [unsubscribe_url] }}",
        "{{ {'a': unsubscribe_url} }}",
        "{% for c in unsubscribe_url %}{{ c }}.{% endfor %}",
        "{% set x %}{{ unsubscribe_url }}{% endset %}{{ x | upper }}{{ x | length }}",
        "{% autoescape false %}{{ preferences_url }}{{ contact.firstName }}{% endautoescape %}{{ preferences_url }}",
        "{{ unsubscribe_url < 'https://shop.example/u?a=1&token=aB0100' }}",
        "{{ contact.firstName }}: {{ contact.plan == 'gold' }}",
        "{% if contact.plan == 'gold' %}{{ contact['firstName'] }}{% endif %}{{ unsubscribe_url or 'x' }}",
        "{{ contact }}",
        "{{ contact | length }}{% for name in contact %}{{ name }}{{ contact[name] }}{% endfor %}",
        "{% if contact %}somebody{% endif %}{{ contact is mapping }}",
        "{% for name, value in contact | items %}{{ name }}{{ value }}{% endfor %}",
        "{% for name, value in contact | dictsort %}{{ name }}{{ value }}{% endfor %}",
        "{{ unsubscribe_url | default('none') }}{{ preferences_url | safe_url }}",
        "{% macro m(u) %}<a href='{{ u }}'>{% endmacro %}{{ m(unsubscribe_url) }}",
    ];
    for body in bodies {
        same_as_whole(&[("mail/announcement/body.html", body)], "announcement");
        same_as_whole(&[("mail/announcement/body.txt", body)], "announcement");
        same_as_whole(&[("mail/announcement/subject.txt", body)], "announcement");
    }
}
