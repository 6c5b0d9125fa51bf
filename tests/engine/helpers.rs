//! Short words for what the tests of this suite do again and again.

use std::path::PathBuf;
use std::sync::Arc;

use restockd_core::{Email, ListId, PersonId};
use restockd_engine::api::Identity;
use restockd_engine::token::{Purpose, Secrets};
use restockd_engine::{Engine, Started};
use restockd_journal::disk::Disk;
use restockd_journal::wal::{self, Log, Options, Record};
use restockd_mail::ScriptedReply as Reply;
use restockd_mail::{
    DeliveryOutcome, DeliveryResult, Diagnostic, FaultSource, Mailer, MemoryTransport, SmtpPhase,
};
use restockd_records::Encoded;
use restockd_testkit::app::{App, KEY, Plan};
use serde_json::{Value, json};

/// One connection, so that a held outbox holds one letter and the others wait fetched behind it.
pub fn one_by_one() -> Plan {
    Plan::new().env("RESTOCKD_MAIL_CONNECTIONS", "1")
}

/// An engine without a wire, on a disk of the test's choosing, and the letters it sends.
pub async fn engine_on(plan: &Plan, disk: Arc<dyn Disk>, data: PathBuf) -> (Engine, Arc<MemoryTransport>) {
    let config = plan.config();
    std::fs::create_dir_all(plan.data()).unwrap();
    let mailer = Mailer::from_url("memory:", config.mail_options).unwrap();
    let outbox = mailer.outbox().unwrap();
    let started = Started {
        data,
        disk,
        segment_bytes: 64 * 1024,
        backend: config.backend,
        clock: plan.clock.clone(),
        accept_clock: false,
        secrets: restockd::boot::secrets(&plan.data()).unwrap(),
        catalog: config.catalog,
        templates: Arc::new(restockd_render::Templates::built_in()),
        mailer,
        settings: config.engine,
        environment_key: None,
    };
    (restockd_engine::start(started).await.unwrap().0, outbox)
}

/// The address of a name.
pub fn at(name: &str) -> String {
    format!("{name}@shop.example")
}

/// Several people press for a SKU, in order.
pub async fn press_all(app: &App, names: &[&str], sku: &str) {
    for name in names {
        app.press(&at(name), sku).await;
    }
}

/// The newest campaign's id.
pub async fn newest(app: &App) -> String {
    // A start takes up what was open behind the answer that it is ready.
    let found = async {
        loop {
            if let Some(campaign) = app.campaigns().await.first() {
                return campaign["id"].as_str().unwrap().to_owned();
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(60), found)
        .await
        .expect("no campaign within a minute")
}

/// The id of the campaign of a list.
pub async fn of_list(app: &App, list: &str) -> String {
    let all = app.campaigns().await;
    let found = all.iter().find(|campaign| campaign["audienceId"] == list);
    found.unwrap()["id"].as_str().unwrap().to_owned()
}

/// A restock that must be accepted and lead to a campaign: its id.
pub async fn restocked(app: &App, delivery: &str, sku: &str) -> String {
    let (status, answer) = app.restock(delivery, sku, 5).await;
    assert_eq!((status, &answer["ok"]), (200, &json!(true)), "{answer}");
    of_list(app, &format!("restock-{sku}")).await
}

/// Names of those who were mailed since the engine's start, in the order of arrival.
pub fn mailed(app: &App) -> Vec<String> {
    let name = |to: &str| to.split('@').next().unwrap().to_owned();
    app.outbox().mails().iter().map(|mail| name(&mail.letter.to)).collect()
}

/// The same, sorted.
pub fn mailed_sorted(app: &App) -> Vec<String> {
    let mut names = mailed(app);
    names.sort();
    names
}

/// Somebody's bag says no.
pub async fn leave(app: &App, name: &str, sku: &str) -> Value {
    let list = format!("restock-{sku}");
    let event = json!({ "name": "order.completed", "email": at(name), "lists": { list: false } });
    app.post("/v1/events", event).await
}

/// Everything about somebody is erased.
pub async fn erase(app: &App, name: &str) {
    let (status, answer) = app.ask("DELETE", "/v1/contacts", Some(json!({ "email": at(name) }))).await;
    assert_eq!((status, &answer["deleted"]), (200, &json!(true)));
}

/// The engine's secrets, as a mail's links are signed with.
pub fn secrets(app: &App) -> Secrets {
    restockd::boot::secrets(&app.plan.data()).unwrap()
}

/// Somebody's number.
pub async fn person(app: &App, name: &str) -> PersonId {
    let who = Identity { email: Email::parse(&at(name)), ..Identity::default() };
    app.engine().find_contacts(who).await.unwrap()[0].id
}

/// The token of the unsubscribe link of a mail about a SKU.
pub async fn list_token(app: &App, name: &str, sku: &str) -> String {
    let list = ListId::parse(&format!("restock-{sku}")).unwrap();
    secrets(app).sign(Purpose::Unsubscribe, person(app, name).await, Some(&list))
}

/// Somebody stops all mail, by the button in a mail.
pub async fn stop_all(app: &App, name: &str) {
    let token = secrets(app).sign(Purpose::Unsubscribe, person(app, name).await, None);
    let (status, _) = app.send("POST", &format!("/v1/email/unsubscribe?token={token}"), &[], b"").await;
    assert_eq!(status, 200);
}

/// Somebody starts mail again, by the preference page.
pub async fn start_again(app: &App, name: &str) {
    let token = secrets(app).sign(Purpose::Preferences, person(app, name).await, None);
    let path = format!("/v1/email/preferences?token={token}");
    let form = [("content-type", "application/x-www-form-urlencoded".to_owned())];
    let (status, _) = app.send("POST", &path, &form, b"all=start").await;
    assert_eq!(status, 200);
}

/// A verb on a campaign that must be taken.
pub async fn verb(app: &App, id: &str, verb: &str) -> Value {
    app.post(&format!("/v1/campaigns/{id}/{verb}"), json!({})).await
}

/// A number of a campaign.
pub fn n(campaign: &Value, field: &str) -> u64 {
    campaign[field].as_u64().unwrap_or_else(|| panic!("{field} in {campaign}"))
}

/// How many were skipped for a reason.
pub fn skipped(campaign: &Value, reason: &str) -> u64 {
    campaign["skipped"][reason].as_u64().unwrap_or(0)
}

/// The server refuses the recipient, for now or for good.
pub fn said(end: DeliveryResult, code: u16, words: &str) -> DeliveryOutcome {
    DeliveryOutcome::new(end, SmtpPhase::Rcpt, Diagnostic::of_server(code, words))
}

/// The server asks for patience.
pub fn later() -> DeliveryOutcome {
    said(DeliveryResult::Deferred, 451, "4.7.1 try again later")
}

/// The server refuses for good.
pub fn never() -> DeliveryOutcome {
    said(DeliveryResult::Failed, 550, "5.0.0 refused")
}

/// The server was not heard after the dot.
pub fn detached() -> DeliveryOutcome {
    let said = Diagnostic::own("the connection was lost", FaultSource::Letter);
    DeliveryOutcome::new(DeliveryResult::Unknown, SmtpPhase::Data, said)
}

/// From now on this person's letters get this answer, all others are accepted.
pub fn answer_for(app: &App, name: &str, reply: Reply) {
    let to = at(name);
    app.outbox().answer_with(move |letter| if letter.to == to { reply.clone() } else { Reply::Accept });
}

/// From now on everybody's letters are accepted.
pub fn accept_all(app: &App) {
    app.outbox().answer_with(|_| Reply::Accept);
}

/// A campaign by hand; the answer's body.
pub async fn manual(app: &App, body: Value) -> Value {
    app.post("/v1/campaigns", body).await
}

/// How many are on a list.
pub async fn members(app: &App, list: &str) -> u64 {
    app.get(&format!("/v1/lists/{list}")).await["members"].as_u64().unwrap()
}

/// Whether somebody is on a list, as the wire says.
pub async fn subscribed(app: &App, name: &str, list: &str) -> bool {
    let lists = app.get(&format!("/v1/lists?email={}", at(name))).await;
    let found = lists["lists"].as_array().unwrap().iter().find(|row| row["id"] == list).cloned();
    found.is_some_and(|row| row["subscribed"] == true)
}

/// Waits until all that was asked of the actors has been handled: lists, directory, campaigns.
pub async fn wait_until_settled(app: &App) {
    for _ in 0..8 {
        app.campaigns().await;
        app.engine().list_counts().await.unwrap();
        app.get("/v1/contacts/find?email=nobody@shop.example").await;
        tokio::task::yield_now().await;
    }
}

/// The headers of a request with a key.
pub fn bearer(key: &str) -> [(&'static str, String); 1] {
    [("authorization", format!("Bearer {key}"))]
}

/// The admin key's headers.
pub fn admin() -> [(&'static str, String); 1] {
    bearer(KEY)
}

/// Every file under the data directory with its bytes.
pub fn files(plan: &Plan) -> Vec<(std::path::PathBuf, Vec<u8>)> {
    let (mut files, mut folders) = (Vec::new(), vec![plan.data()]);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if let Ok(bytes) = std::fs::read(&path) {
                files.push((path, bytes));
            }
        }
    }
    files
}

/// True when `word` stands in `bytes`.
pub fn contains(bytes: &[u8], word: &[u8]) -> bool {
    bytes.windows(word.len()).any(|window| window == word)
}

/// Writes records into a log that has none yet.
pub fn write_log(plan: &Plan, records: impl IntoIterator<Item = Encoded>) {
    std::fs::create_dir_all(plan.data()).unwrap();
    let secrets = restockd::boot::secrets(&plan.data()).unwrap();
    let options = Options { segment_bytes: 1 << 20, ..Options::new(plan.data().join("wal"), secrets.engine) };
    let disk: Arc<dyn restockd_journal::disk::Disk> = Arc::new(restockd_journal::disk::RealDisk);
    let read = wal::recover(&disk, &options, 1, 0, &mut |_, _| Ok(())).unwrap();
    let log = Log::start(disk, options, &read, Box::new(|_| ())).unwrap();
    for Encoded { kind, version, bytes } in records {
        log.append_quiet(Record { kind, version, bytes });
    }
    log.close();
}
