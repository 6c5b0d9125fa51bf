//! Verbs and the statuses that allow them.

use super::*;

/// A campaign in each status.
fn in_status(status: Status) -> Desk {
    let mut desk = Desk::opened(2);
    let id = CampaignId(1);
    match status {
        Status::Scheduled => {
            desk = Desk::new();
            desk.record(
                CampaignEvent::Scheduled(Header { scheduled: Some(START.plus(1000)), ..manual(1) }),
                START,
            );
        }
        Status::Queued => {
            desk = Desk::new();
            desk.record(CampaignEvent::Scheduled(manual(1)), START);
        }
        Status::Sending => {}
        Status::Paused => desk.record(CampaignEvent::Paused(id), START),
        Status::Sent => {
            (1..=2).for_each(|person| desk.send(1, person, START));
            desk.record(CampaignEvent::Closed { id }, START);
        }
        Status::Failed => desk.record(CampaignEvent::Failed { id, why: "x".into() }, START),
        Status::Canceled => desk.record(CampaignEvent::Canceled(id), START),
        Status::Expired => desk.record(CampaignEvent::Expired(id), START),
    }
    assert_eq!(desk.get(1).status, status);
    desk
}

#[test]
fn each_verb_holds_is_done_or_is_refused_by_status() {
    use Status::{Canceled, Expired, Failed, Paused, Queued, Scheduled, Sending, Sent};
    let statuses = [Scheduled, Queued, Sending, Paused, Sent, Failed, Canceled, Expired];
    // d: done, h: holds already, r: refused.
    for (verb, expected) in [
        (Verb::Cancel, "ddddrrrr"),
        (Verb::Pause, "rddhrrrr"),
        (Verb::Resume, "rrhdrrrr"),
        (Verb::RetryFailed, "hhhhhrrr"),
        (Verb::ResendDoubt, "hhhhhrrr"),
        (Verb::DropDoubt, "hhhhhhhh"),
    ] {
        let told: String = statuses
            .map(|status| match in_status(status).verb(1, verb) {
                Ok(true) => 'd',
                Ok(false) => 'h',
                Err(CampaignRefusal::WrongStatus(of, _)) if of == status => 'r',
                Err(other) => panic!("{other:?}"),
            })
            .iter()
            .collect();
        assert_eq!(told, expected, "{verb:?}");
    }
    assert_eq!(Desk::new().verb(1, Verb::Cancel), Err(CampaignRefusal::Unknown));
}

#[test]
fn failed_letters_go_again_and_their_campaign_with_them() {
    let mut desk = Desk::opened(2);
    desk.send(1, 1, START);
    desk.start(1, 2, START);
    desk.settle(1, 2, Settlement::Failed { diagnostic: said("550") }, START);
    desk.record(CampaignEvent::Closed { id: CampaignId(1) }, START);
    assert!(desk.verb(1, Verb::RetryFailed).unwrap());
    assert_eq!((desk.get(1).status, desk.get(1).completed), (Status::Sending, None));
    assert!(!desk.get(1).is_done());
    assert_eq!(desk.take(1, START, 9), [2]);
    desk.send(1, 2, START);
    assert!(desk.get(1).is_done());
    assert_eq!((desk.get(1).total(), desk.get(1).ledger.counts().sent), (2, 2));
}

#[test]
fn a_pause_stops_letters_and_a_resume_lets_them_go_on() {
    let mut desk = Desk::opened(1);
    desk.verb(1, Verb::Pause).unwrap();
    assert!(matches!(desk.letter(1, 1, None, 1, START), NextLetter::Gone));
    desk.crash();
    assert_eq!(desk.get(1).status, Status::Paused);
    desk.verb(1, Verb::Resume).unwrap();
    desk.take_up(1, [1]);
    desk.start(1, 1, START);
}
