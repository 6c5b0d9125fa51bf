//! Verbs and the statuses that allow them.

use super::*;

/// A campaign in each status.
fn in_status(status: CampaignStatus) -> Desk {
    let mut desk = Desk::opened(2);
    let id = CampaignId(1);
    match status {
        CampaignStatus::Scheduled => {
            desk = Desk::new();
            desk.record(
                CampaignEvent::Scheduled(Header { scheduled: Some(START.plus(1000)), ..manual(1) }),
                START,
            );
        }
        CampaignStatus::Queued => {
            desk = Desk::new();
            desk.record(CampaignEvent::Scheduled(manual(1)), START);
        }
        CampaignStatus::Sending => {}
        CampaignStatus::Paused => desk.record(CampaignEvent::Paused(id), START),
        CampaignStatus::Sent => {
            (1..=2).for_each(|person| desk.send(1, person, START));
            desk.record(CampaignEvent::Closed { id }, START);
        }
        CampaignStatus::Failed => desk.record(CampaignEvent::Failed { id, why: "x".into() }, START),
        CampaignStatus::Canceled => desk.record(CampaignEvent::Canceled(id), START),
        CampaignStatus::Expired => desk.record(CampaignEvent::Expired(id), START),
    }
    assert_eq!(desk.get(1).status, status);
    desk
}

#[test]
fn each_verb_holds_is_done_or_is_refused_by_status() {
    use CampaignStatus::{Canceled, Expired, Failed, Paused, Queued, Scheduled, Sending, Sent};
    let statuses = [Scheduled, Queued, Sending, Paused, Sent, Failed, Canceled, Expired];
    // d: done, h: holds already, r: refused.
    for (command, expected) in [
        (CampaignCommand::Cancel, "ddddrrrr"),
        (CampaignCommand::Pause, "rddhrrrr"),
        (CampaignCommand::Resume, "rrhdrrrr"),
        (CampaignCommand::RetryFailed, "hhhhhrrr"),
        (CampaignCommand::ResendDoubt, "hhhhhrrr"),
        (CampaignCommand::DropDoubt, "hhhhhhhh"),
    ] {
        let told: String = statuses
            .map(|status| match in_status(status).command(1, command) {
                Ok(true) => 'd',
                Ok(false) => 'h',
                Err(CampaignRefusal::WrongStatus(of, _)) if of == status => 'r',
                Err(other) => panic!("{other:?}"),
            })
            .iter()
            .collect();
        assert_eq!(told, expected, "{command:?}");
    }
    assert_eq!(Desk::new().command(1, CampaignCommand::Cancel), Err(CampaignRefusal::Unknown));
}

#[test]
fn failed_letters_go_again_and_their_campaign_with_them() {
    let mut desk = Desk::opened(2);
    desk.send(1, 1, START);
    desk.start(1, 2, START);
    desk.settle(1, 2, Settlement::Failed { diagnostic: said("550") }, START);
    desk.record(CampaignEvent::Closed { id: CampaignId(1) }, START);
    assert!(desk.command(1, CampaignCommand::RetryFailed).unwrap());
    assert_eq!((desk.get(1).status, desk.get(1).completed), (CampaignStatus::Sending, None));
    assert!(!desk.get(1).is_done());
    assert_eq!(desk.take(1, START, 9), [2]);
    desk.send(1, 2, START);
    assert!(desk.get(1).is_done());
    assert_eq!((desk.get(1).total(), desk.get(1).ledger.counts().sent), (2, 2));
}

#[test]
fn a_pause_stops_letters_and_a_resume_lets_them_go_on() {
    let mut desk = Desk::opened(1);
    desk.command(1, CampaignCommand::Pause).unwrap();
    assert!(matches!(desk.letter(1, 1, None, 1, START), NextLetter::Gone));
    desk.crash();
    assert_eq!(desk.get(1).status, CampaignStatus::Paused);
    desk.command(1, CampaignCommand::Resume).unwrap();
    desk.upsert(1, [1]);
    desk.start(1, 1, START);
}

#[test]
fn a_ledger_that_has_let_go_of_its_index_has_it_again_when_its_letters_are_tried_again() {
    let mut desk = Desk::opened(3);
    desk.send(1, 1, START);
    for person in 2..=3 {
        desk.start(1, person, START);
        desk.settle(1, person, Settlement::Failed { diagnostic: said("550") }, START);
    }
    desk.record(CampaignEvent::Closed { id: CampaignId(1) }, START);
    let later = START.plus(3 * DAY);
    let sweep = desk.campaigns.decide_sweep(later).unwrap();
    desk.record(sweep, later);
    assert!(desk.get(1).ledger.places.is_none(), "an old ledger keeps its rows alone");
    assert_eq!(desk.command(1, CampaignCommand::RetryFailed), Ok(true));
    assert_eq!(desk.get(1).ledger.places.as_ref().map(|places| places.len()), Some(3));
    (2..=3).for_each(|person| desk.send(1, person, later));
    assert_eq!(desk.get(1).ledger.counts().sent, 3);
}
