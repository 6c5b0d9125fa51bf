//! A batch of events, as JSON and as lines: the reader must agree with a plain JSON parser about what is there, and
//! what it lets in must keep to the limits.

use restockd::http::fuzzing::batch;
use restockd_core::text::key_fits;
use serde_json::Value;

const STATUSES: [u16; 3] = [400, 413, 422];

/// How many items a plain parser sees; none where it is no batch at all.
fn plainly(body: &[u8], lines: bool) -> Option<usize> {
    if lines {
        let lines = body.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
        return Some(lines.filter(|line| !line.is_empty()).count());
    }
    let value: Value = serde_json::from_slice(body).ok()?;
    value.as_object()?.get("events")?.as_array().map(Vec::len)
}

pub fn body(data: &[u8]) {
    let Some((first, body)) = data.split_first() else { return };
    let lines = first % 2 == 1;
    let expected = plainly(body, lines);
    match batch(body, lines) {
        Ok(items) => {
            // A number that a plain parser finds too large is somebody's item and fails alone.
            if let Some(expected) = expected {
                assert_eq!(items.len(), expected);
            }
            for item in items {
                match item {
                    Err(status) => assert!(STATUSES.contains(&status), "{status}"),
                    Ok(event) => {
                        assert!(!event.name.is_empty(), "{event:?}");
                        assert!(event.key.as_deref().is_none_or(key_fits), "{event:?}");
                        assert!(event.lists.len() <= 1000, "{} lists", event.lists.len());
                    }
                }
            }
        }
        Err(status) => {
            assert!(STATUSES.contains(&status), "{status}");
            assert!(
                expected.is_none_or(|count| count > 10_000),
                "a batch of {expected:?} was refused: {status}"
            );
        }
    }
}

pub fn seeds() -> Vec<Vec<u8>> {
    let event = r#"{"name":"product.waitlisted","email":"Ann@shop.example","userId":"u1","anonymousId":"a",
        "eventProperties":{"sku":"chair-01","product_name":"Studio chair","quantity":3},"contactProperties":{"n":[1,{}]},
        "lists":{"restock-chair-01":true,"news":false},"idempotencyKey":"k","timestamp":"2026-01-01T00:00:00.5+02:00",
        "value":1.5,"currency":"EUR"}"#;
    let line = event.replace('\n', " ");
    let restock = r#"{"name":"product.restocked","email":"","eventProperties":{"sku":"c","quantity":-1}}"#;
    let odd =
        r#"{"name":"x","name":"y","lists":[{"a":true}],"value":1e400,"timestamp":"2026-02-29T00:00:00Z"}"#;
    let json = [
        format!(r#"{{"events":[{event},{restock},{odd},7,null,[]]}}"#),
        format!(r#"{{"a":{{"events":1}},"ev\u0065nts":[{event}],"events":[{restock}]}}"#),
        r#"{"events":{}}"#.to_owned(),
        r#"{"events":null,"x":"\ud834\udd1e"}"#.to_owned(),
        "[{}]".to_owned(),
        format!(r#"{{"events":[{}1]}}"#, "1,".repeat(60)),
        format!("{}1{}", "[".repeat(130), "]".repeat(130)),
    ];
    let lines = [format!("{line}\n{restock}\r\n\n  \n{odd}\nnull"), "{}\n{\n\u{85}\n".to_owned()];
    let json = json.iter().map(|body| [&[0], body.as_bytes()].concat());
    json.chain(lines.iter().map(|body| [&[1], body.as_bytes()].concat())).collect()
}
