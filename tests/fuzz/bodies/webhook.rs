//! A webhook delivery: the signature header in every spelling, and the body behind a signature that holds.
//!
//! ```text
//! script   how the header is made u8 | the source's spelling u8 | the body
//! ```

use restockd::http::fuzzing::webhook;
use restockd::http::{Scheme, Secret, Source, sign};
use restockd_core::text::{key_fits, name_fits};

use super::script::Script;

const SECRET: &[u8] = b"a-secret-of-thirty-two-bytes-now";
const OLD: &[u8] = b"another-secret-of-as-many-bytes!";

pub fn body(data: &[u8]) {
    let mut script = Script::new(data);
    let (how, spelling) = (script.u8(), script.u8());
    let (prefix_ok, upper_ok) = (spelling & 1 != 0, spelling & 2 != 0);
    let named = |secrets: &[&[u8]]| Source {
        scheme: Scheme::HexSha256 { prefix_ok, upper_ok },
        secrets: secrets.iter().map(Secret::new).collect(),
        ..Source::default()
    };
    let foreign = if how % 8 >= 5 { script.piece().to_vec() } else { Vec::new() };
    let body = script.rest();
    let good = sign(if spelling & 4 != 0 { OLD } else { SECRET }, body);
    let header = match how % 8 {
        0 | 1 => good.clone().into_bytes(),
        2 => format!("sha256={good}").into_bytes(),
        3 => good.to_uppercase().into_bytes(),
        4 => sign(b"a secret of somebody else's, it is", body).into_bytes(),
        _ => foreign,
    };
    let mut headers = vec![("x-signature", header.as_slice())];
    if how & 0x80 != 0 {
        headers.push(("X-Signature", header.as_slice()));
    }
    let fits = header == good.as_bytes()
        || (prefix_ok && header.strip_prefix(b"sha256=") == Some(good.as_bytes()))
        || (upper_ok && header.eq_ignore_ascii_case(good.as_bytes()))
        || (prefix_ok
            && upper_ok
            && header.strip_prefix(b"sha256=").is_some_and(|it| it.eq_ignore_ascii_case(good.as_bytes())));
    let heard = webhook(named(&[SECRET, OLD]), &headers, body);
    match &heard {
        Err(401) => assert!(!fits || headers.len() > 1, "a good signature was refused"),
        _ => assert!(fits && headers.len() == 1, "a bad signature was let in"),
    }
    match heard {
        Err(status) => assert!(matches!(status, 400 | 401), "{status}"),
        Ok(None) => {}
        Ok(Some(restock)) => {
            assert!(key_fits(&restock.delivery), "{restock:?}");
            assert!((1..=128).contains(&restock.sku.as_str().len()));
            assert!(restock.product.as_deref().is_none_or(name_fits), "{restock:?}");
        }
    }
    assert!(matches!(webhook(named(&[]), &headers, body), Err(401)), "no secret, no webhook");
}

pub fn seeds() -> Vec<Vec<u8>> {
    let bodies = [
        r#"{"delivery_id":"d-1","type":"restock","sku":"chair-01","product_name":"Studio chair","quantity":12}"#,
        r#"{"delivery_id":7,"type":"restock","sku":"Stuhl \u00fc","quantity":-3.0,"more":[{"a":null}]}"#,
        r#"{"delivery_id":1e3,"type":"sale","sku":"","product_name":null,"quantity":1e300}"#,
        r#"{"delivery_id":"a\u0000","type":7,"sku":"\u202e","product_name":"x","quantity":"3"}"#,
        r#"["delivery_id"]"#,
        "",
    ];
    let mut seeds = Vec::new();
    for (at, body) in bodies.iter().enumerate() {
        for how in [0, 2, 3, 4, 0x80] {
            seeds.push([&[how, at as u8 + how], body.as_bytes()].concat());
        }
        let header = [b"sha256=".as_slice(), &[b'a'; 64]].concat();
        seeds.push([&[5, 3, header.len() as u8], header.as_slice(), body.as_bytes()].concat());
    }
    seeds
}
