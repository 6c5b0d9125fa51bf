//! The folder and the memory mailer.

use std::sync::Arc;

use restockd_mail::{
    DeliveryOutcome, DeliveryResult, Diagnostic, FaultSource, MailOptions, Mailer, ScriptedReply, SmtpPhase,
};

use crate::fixture::{course, letter, name, open, send, send_by, shut};

#[tokio::test]
async fn a_letter_becomes_one_file_however_often_it_is_sent() {
    let dir = tempfile::tempdir().unwrap();
    let outbox = dir.path().join("a/outbox");
    for sync_folder in [false, true] {
        let options = MailOptions { sync_folder, ..MailOptions::default() };
        let mailer = Mailer::from_url(&format!("folder:{}", outbox.display()), options).unwrap();
        assert!(outbox.is_dir());
        let outcome = send_by(&mailer, &letter(1), open()).await;
        assert_eq!(course(&outcome), "sent at dot");
        assert_eq!(outcome.diagnostic.to_string(), "written to letter1.abc@shop.example.eml");
        assert_eq!(name(&send_by(&mailer, &letter(2), shut()).await), "deferred");
    }
    let names: Vec<_> = std::fs::read_dir(&outbox).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(names, ["letter1.abc@shop.example.eml"]);
    let text = std::fs::read_to_string(outbox.join("letter1.abc@shop.example.eml")).unwrap();
    assert!(text.contains("List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n"));
}

#[tokio::test]
async fn a_message_id_cannot_leave_the_folder() {
    let dir = tempfile::tempdir().unwrap();
    let mailer =
        Mailer::from_url(&format!("folder:{}", dir.path().display()), MailOptions::default()).unwrap();
    let mut letter = letter(1);
    letter.message_id = "../../x/y@shop.example".to_owned();
    assert_eq!(name(&send_by(&mailer, &letter, open()).await), "sent");
    let names: Vec<_> = std::fs::read_dir(dir.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(names, ["_.._x_y@shop.example.eml"]);
}

#[tokio::test]
async fn a_folder_that_is_gone_defers_or_is_made_again() {
    let dir = tempfile::tempdir().unwrap();
    let outbox = dir.path().join("outbox");
    let mailer = Mailer::from_url(&format!("folder:{}", outbox.display()), MailOptions::default()).unwrap();
    std::fs::remove_dir(&outbox).unwrap();
    assert_eq!(name(&send_by(&mailer, &letter(1), open()).await), "sent");
    std::fs::remove_dir_all(&outbox).unwrap();
    std::fs::write(&outbox, "a file in its place").unwrap();
    assert_eq!(name(&send_by(&mailer, &letter(1), open()).await), "deferred");
    let error =
        Mailer::from_url(&format!("folder:{}", outbox.display()), MailOptions::default()).unwrap_err();
    assert!(error.to_string().contains("cannot be made"));
}

#[tokio::test]
async fn the_outbox_answers_as_it_is_told() {
    let mailer = Mailer::from_url("memory:", MailOptions::default()).unwrap();
    let outbox = mailer.outbox().unwrap();
    let mut courier = mailer.courier();
    let failed =
        DeliveryOutcome::new(DeliveryResult::Failed, SmtpPhase::Rcpt, Diagnostic::of_server(550, "no"));
    let doubt = DeliveryOutcome::new(
        DeliveryResult::Unknown,
        SmtpPhase::Data,
        Diagnostic::own("lost", FaultSource::Letter),
    );
    outbox.push(ScriptedReply::Refuse(failed.clone()));
    outbox.push(ScriptedReply::Give(doubt.clone()));
    outbox.push(ScriptedReply::Keep(doubt.clone()));
    // A refusal comes before the gate: this one never opens.
    assert_eq!(send(&mut courier, &letter(1), Box::pin(std::future::pending())).await, failed);
    assert_eq!(send(&mut courier, &letter(2), open()).await, doubt);
    assert_eq!(send(&mut courier, &letter(3), open()).await, doubt);
    outbox.answer_with(move |letter| match letter.to.as_str() {
        "ann5@people.example" => ScriptedReply::Give(failed.clone()),
        _ => ScriptedReply::Accept,
    });
    assert_eq!(name(&send(&mut courier, &letter(4), open()).await), "sent");
    assert_eq!(name(&send(&mut courier, &letter(5), open()).await), "failed");
    assert_eq!(course(&send(&mut courier, &letter(6), shut()).await), "deferred at data, the shop's");
    let to: Vec<String> = outbox.mails().into_iter().map(|mail| mail.letter.to).collect();
    assert_eq!(to, ["ann3@people.example", "ann4@people.example"]);
    assert!(outbox.take()[0].raw.starts_with(b"From: "));
    assert_eq!((outbox.mails().len(), outbox.count()), (0, 2));
}

#[tokio::test]
async fn a_held_outbox_holds_letters_after_their_gate() {
    let mailer = Mailer::from_url("memory:", MailOptions::default()).unwrap();
    let outbox = mailer.outbox().unwrap();
    outbox.hold();
    let tasks: Vec<_> = (0..3)
        .map(|n| {
            let mut courier = mailer.courier();
            tokio::spawn(async move { send(&mut courier, &letter(n), open()).await })
        })
        .collect();
    outbox.wait_held(3).await;
    assert_eq!(outbox.count(), 0);
    let waiting = Arc::clone(&outbox);
    let waiter = tokio::spawn(async move { waiting.wait_for(3).await });
    outbox.release();
    waiter.await.unwrap();
    for task in tasks {
        assert_eq!(name(&task.await.unwrap()), "sent");
    }
}

#[tokio::test]
async fn a_letter_thrown_away_counts_as_sent_only_behind_an_open_gate() {
    for (setting, wants) in [("discard:", true), ("discard:unmade", false)] {
        let mailer = Mailer::from_url(setting, MailOptions::default()).unwrap();
        let mut courier = mailer.courier();
        assert_eq!(courier.wants_letters(), wants);
        assert_eq!(name(&send(&mut courier, &letter(1), open()).await), "sent");
        assert_eq!(name(&courier.pass(open()).await), "sent");
        assert_eq!(name(&send(&mut courier, &letter(2), shut()).await), "deferred");
        assert_eq!(name(&courier.pass(shut()).await), "deferred");
    }
}

#[tokio::test]
async fn a_courier_of_the_outbox_is_ready_as_it_is_told() {
    let mailer = Mailer::from_url("memory:", MailOptions::default()).unwrap();
    let outbox = mailer.outbox().unwrap();
    let mut courier = mailer.courier();
    assert!(courier.is_ready());
    let down = DeliveryOutcome::new(
        DeliveryResult::Deferred,
        SmtpPhase::Connection,
        Diagnostic::own("no way", FaultSource::Shop),
    );
    outbox.disconnect(down.clone());
    assert!(!courier.is_ready());
    assert_eq!(courier.ready().await, Err(down));
    outbox.stop_greeting();
    let waiting = tokio::spawn(async move { (courier.ready().await, courier) });
    outbox.wait_ready(2).await;
    assert!(!waiting.is_finished());
    outbox.reconnect();
    let (ready, mut courier) = waiting.await.unwrap();
    assert_eq!((ready, courier.is_ready(), outbox.readied()), (Ok(()), true, 2));
    assert_eq!(name(&courier.deliver(&letter(1), open()).await), "sent");
}

#[tokio::test]
async fn a_courier_without_a_server_is_always_ready() {
    let dir = tempfile::tempdir().unwrap();
    for setting in [&format!("folder:{}", dir.path().display()), "discard:", "discard:unmade", "memory:"] {
        let mut courier = Mailer::from_url(setting, MailOptions::default()).unwrap().courier();
        assert!(courier.is_ready(), "{setting}");
        assert_eq!(courier.ready().await, Ok(()), "{setting}");
    }
}
