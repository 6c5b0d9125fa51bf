//! An HTTP client for tests and benches: requests to an engine, and the counts of its campaigns.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};

use crate::{KEY, SECRET};

/// Events in one batch request.
const BATCH: usize = 10_000;

/// Calls an engine; cheap to clone.
#[derive(Clone)]
pub struct Client {
    agent: ureq::Agent,
    pub url: String,
}

/// Status and body; `None` when the connection was lost, so that nothing is known.
pub type Answer = Option<(u16, Value)>;

impl Client {
    pub fn new(url: String) -> Self {
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(Duration::from_secs(60)))
            .max_idle_connections_per_host(16)
            .build();
        Self { agent: agent.into(), url }
    }

    /// Host and port, for raw sockets.
    pub fn host(&self) -> &str {
        self.url.trim_start_matches("http://")
    }

    pub fn try_get(&self, path: &str) -> Answer {
        let request = self.agent.get(format!("{}{path}", self.url));
        read(request.header("authorization", &format!("Bearer {KEY}")).call())
    }

    pub fn try_post(&self, path: &str, body: &Value) -> Answer {
        let request = self.agent.post(format!("{}{path}", self.url));
        read(request.header("authorization", &format!("Bearer {KEY}")).send_json(body))
    }

    pub fn try_delete(&self, path: &str, body: &Value) -> Answer {
        let request = self.agent.delete(format!("{}{path}", self.url)).force_send_body();
        read(request.header("authorization", &format!("Bearer {KEY}")).send_json(body))
    }

    /// Sends an event; returns the status and the seconds of `Retry-After`.
    pub fn retry_after(&self, event: &Value) -> Option<(u16, Option<u64>)> {
        let request = self.agent.post(format!("{}/v1/events", self.url));
        let answer = request.header("authorization", &format!("Bearer {KEY}")).send_json(event).ok()?;
        let after = answer.headers().get("retry-after").and_then(|text| text.to_str().ok()?.parse().ok());
        Some((answer.status().as_u16(), after))
    }

    pub fn try_restock(&self, delivery: &str, sku: &str) -> Answer {
        let (body, signature) = restock(delivery, sku);
        let request = self.agent.post(format!("{}/v1/webhooks/inventory", self.url));
        read(request.header("x-signature", &signature).content_type("application/json").send(body.as_bytes()))
    }

    /// Sends a GET that must succeed.
    pub fn get(&self, path: &str) -> Value {
        good(path, self.try_get(path))
    }

    /// Sends a POST that must succeed.
    pub fn post(&self, path: &str, body: &Value) -> Value {
        good(path, self.try_post(path, body))
    }

    /// Sends a signed restock that must be accepted.
    pub fn restock(&self, delivery: &str, sku: &str) -> Value {
        good("the webhook", self.try_restock(delivery, sku))
    }

    /// Many shoppers press "notify me", in order, through the batch endpoint.
    pub fn press_many(&self, emails: impl IntoIterator<Item = String>, sku: &str) {
        let mut emails = emails.into_iter().peekable();
        while emails.peek().is_some() {
            let events: Vec<Value> = emails.by_ref().take(BATCH).map(|email| press(&email, sku)).collect();
            let answer = self.post("/v1/events/batch", &json!({ "events": events }));
            let results = answer["results"].as_array().unwrap();
            assert_eq!(results.len(), events.len());
            for result in results {
                assert_eq!(result["stored"], true, "{result}");
                assert!(result.get("listsError").is_none(), "{result}");
            }
        }
    }

    /// The campaign of a SKU; its counts are checked.
    pub fn campaign_of(&self, sku: &str) -> Option<Value> {
        let list = format!("restock-{sku}");
        let all = self.get("/v1/campaigns?limit=200");
        let mut found = all["campaigns"].as_array().unwrap().iter().filter(|it| it["audienceId"] == *list);
        let campaign = found.next().cloned();
        assert!(found.next().is_none(), "two campaigns of one SKU on one day: {all}");
        campaign.inspect(add_up)
    }

    /// Everybody on a list, in join order; fails when somebody is on it twice.
    pub fn members(&self, list: &str) -> Vec<String> {
        let (mut all, mut cursor, mut seen) = (Vec::new(), String::new(), BTreeSet::new());
        loop {
            let page = self.get(&format!("/v1/lists/{list}/members?limit=1000{cursor}"));
            for member in page["members"].as_array().unwrap() {
                let email = member["email"].as_str().unwrap().to_owned();
                assert!(seen.insert(email.clone()), "twice on one list: {member}");
                all.push(email);
            }
            let Some(next) = page["cursor"].as_str() else { return all };
            cursor = format!("&cursor={next}");
        }
    }

    /// All campaigns; their counts are checked.
    pub fn campaigns(&self) -> Vec<Value> {
        let mut all: Vec<Value> = Vec::new();
        loop {
            let page = self.get(&format!("/v1/campaigns?limit=200&offset={}", all.len()));
            let campaigns = page["campaigns"].as_array().unwrap();
            campaigns.iter().for_each(add_up);
            all.extend(campaigns.iter().cloned());
            if page["hasMore"] != true {
                return all;
            }
        }
    }

    /// A campaign; its counts are checked.
    pub fn campaign(&self, id: &str) -> Value {
        let campaign = self.get(&format!("/v1/campaigns/{id}"));
        add_up(&campaign);
        campaign
    }
}

/// The event of a shopper who presses "notify me".
pub fn press(email: &str, sku: &str) -> Value {
    let list = format!("restock-{sku}");
    json!({ "name": "product.waitlisted", "email": email, "lists": { list: true } })
}

/// The body of a restock, and its signature.
pub fn restock(delivery: &str, sku: &str) -> (String, String) {
    let body = json!({
        "delivery_id": delivery, "type": "restock", "sku": sku, "product_name": format!("The {sku}"),
        "quantity": 5,
    })
    .to_string();
    let signature = restockd::http::sign(SECRET.as_bytes(), body.as_bytes());
    (body, signature)
}

/// Checks that a campaign's counts add up to its total.
pub fn add_up(campaign: &Value) {
    let parts = ["pending", "started", "deferred", "sent", "failed", "skipped", "inDoubt"];
    let sum: u64 = parts.iter().map(|part| count(campaign, part)).sum();
    assert_eq!(campaign["totalRecipients"].as_u64().unwrap(), sum, "{campaign}");
}

/// One of a campaign's counts.
pub fn count(campaign: &Value, part: &str) -> u64 {
    campaign[format!("{part}Count")].as_u64().unwrap()
}

fn read(answer: Result<ureq::http::Response<ureq::Body>, ureq::Error>) -> Answer {
    let mut answer = answer.ok()?;
    let status = answer.status().as_u16();
    let body = answer.body_mut().with_config().limit(64 << 20).read_json().ok()?;
    Some((status, body))
}

fn good(path: &str, answer: Answer) -> Value {
    let (status, body) = answer.unwrap_or_else(|| panic!("no answer to {path}"));
    assert!((200..300).contains(&status), "{path}: {status} {body}");
    body
}
