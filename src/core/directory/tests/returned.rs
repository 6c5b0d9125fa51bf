//! Bounces and complaints: what each does, once.

use super::*;
use crate::CampaignId;
use crate::returns::{Evidence, Keeper, Kind, Proof, Report};

const ANN: &str = "ann@shop.example";
const DAY: u64 = 86_400_000;

/// A report number `n` about Ann's address on day `n`.
fn report(kind: Kind, n: u64) -> Report {
    let evidence = Evidence {
        kind,
        at: START.plus(n * DAY),
        source: "message".into(),
        status: None,
        diagnostic: None,
        campaign: None,
        message_id: Some(format!("m{n}")),
    };
    let proof = Proof::Address(Email::parse(ANN).unwrap(), None);
    Report { name: format!("r{n}"), proof, evidence, soft_bounces: 3, soft_window_ms: 30 * DAY }
}

/// Hashes good enough for tests.
struct TestKeeper;

impl Keeper for TestKeeper {
    fn address(&self, email: &Email) -> u128 {
        hash(email.as_str())
    }

    fn message_id(&self, campaign: CampaignId, address: u64) -> u128 {
        campaign.0 << 64 | u128::from(address)
    }

    fn key(&self, source: &str, name: &str, address: u128) -> u128 {
        hash(&format!("{source} {name} {address}"))
    }

    fn without(&self, words: &str, email: &Email) -> String {
        words.replace(email.as_str(), "")
    }
}

/// Takes a report in; what was decided.
fn take(directory: &mut Directory, report: &Report) -> Option<Returned> {
    let ReturnDecision::New(returned) = directory.decide_returned(report, &TestKeeper) else { return None };
    directory.apply(&DirectoryEvent::Returned(returned.clone()), report.evidence.at);
    Some(returned)
}

fn block(directory: &Directory) -> Option<Block> {
    directory.block(hash(ANN))
}

#[test]
fn a_hard_bounce_and_a_complaint_suppress_at_once_and_policy_never_does() {
    for (kind, expected) in [
        (Kind::HardBounce, Some(Block::Bounced)),
        (Kind::Complaint, Some(Block::Complained)),
        (Kind::Policy, None),
        (Kind::SoftBounce, None),
    ] {
        let mut directory = Directory::new(1, 1000);
        take(&mut directory, &report(kind, 1)).unwrap();
        assert_eq!(block(&directory), expected, "{kind:?}");
        assert_eq!(directory.evidence(hash(ANN)).len(), 1);
    }
    let mut directory = Directory::new(1, 1000);
    (0..100).for_each(|n| drop(take(&mut directory, &report(Kind::Policy, n))));
    assert_eq!(block(&directory), None);
    assert_eq!(directory.evidence(hash(ANN)).len(), EVIDENCE_MAX);
}

#[test]
fn so_many_soft_bounces_within_the_window_suppress_and_older_ones_do_not_count() {
    let mut directory = Directory::new(1, 1000);
    for (n, expected) in [(0, None), (25, None), (50, None), (54, Some(Block::Bounced))] {
        take(&mut directory, &report(Kind::SoftBounce, n)).unwrap();
        assert_eq!(block(&directory), expected, "day {n}");
    }
}

#[test]
fn one_letter_counts_once_however_many_ways_it_is_reported() {
    let mut directory = Directory::new(1, 1000);
    for n in 0..5 {
        let mut again = report(Kind::SoftBounce, n);
        again.evidence.source = format!("relay{n}");
        again.evidence.message_id = Some("one letter".into());
        take(&mut directory, &again).unwrap();
    }
    assert_eq!(block(&directory), None);
    let (mut one, mut two) = (report(Kind::SoftBounce, 6), report(Kind::SoftBounce, 7));
    one.proof = Proof::Address(Email::parse(ANN).unwrap(), Some(CampaignId(1)));
    two.proof = one.proof.clone();
    take(&mut directory, &one).unwrap();
    take(&mut directory, &two).unwrap();
    assert_eq!(block(&directory), None, "two letters, not seven");
    take(&mut directory, &report(Kind::SoftBounce, 8)).unwrap();
    assert_eq!(block(&directory), Some(Block::Bounced));
}

#[test]
fn the_same_report_again_is_nothing_even_when_it_is_told_under_another_name() {
    let mut directory = Directory::new(1, 1000);
    let first = report(Kind::Complaint, 1);
    assert!(take(&mut directory, &first).is_some());
    assert!(take(&mut directory, &first).is_none());
    let renamed = Report { name: "another".into(), ..first };
    assert!(take(&mut directory, &renamed).is_none());
    assert_eq!(directory.evidence(hash(ANN)).len(), 1);
}

#[test]
fn a_full_window_of_keys_loses_no_complaint() {
    let mut directory = Directory::new(1, 1);
    assert!(take(&mut directory, &report(Kind::Policy, 0)).unwrap().key.is_some());
    let complaint = Report { name: "another".into(), ..report(Kind::Complaint, 0) };
    assert_eq!(take(&mut directory, &complaint).unwrap().key, None);
    assert_eq!(block(&directory), Some(Block::Complained));
}

#[test]
fn a_complaint_outweighs_and_a_bounce_replaces_nothing() {
    for held in [Block::Unsubscribed, Block::Manual, Block::Bounced, Block::Complained] {
        let mut directory = Directory::new(1, 1000);
        let event = blocked(hash(ANN), held);
        directory.apply(&event, START);
        assert_eq!(take(&mut directory, &report(Kind::HardBounce, 1)).unwrap().block, None);
        assert_eq!(block(&directory), Some(held));
        take(&mut directory, &report(Kind::Complaint, 2)).unwrap();
        assert_eq!(block(&directory), Some(Block::Complained));
    }
}

#[test]
fn what_blocked_an_address_is_remembered_longest_and_a_lifted_block_counts_afresh() {
    let mut directory = Directory::new(1, 1000);
    take(&mut directory, &report(Kind::HardBounce, 0)).unwrap();
    (1..100).for_each(|n| drop(take(&mut directory, &report(Kind::SoftBounce, n))));
    let held = directory.evidence(hash(ANN));
    assert_eq!((held.len(), held[0].kind), (EVIDENCE_MAX, Kind::HardBounce));
    directory.apply(&DirectoryEvent::Released { address: hash(ANN) }, START);
    assert_eq!(directory.evidence(hash(ANN)).len(), 1);
    take(&mut directory, &report(Kind::SoftBounce, 100)).unwrap();
    assert_eq!(block(&directory), None);
}

#[test]
fn evidence_outlives_a_snapshot_and_an_erasure_where_it_blocks() {
    let mut directory = Directory::new(1, 1000);
    take(&mut directory, &report(Kind::Complaint, 1)).unwrap();
    let mut again = Directory::new(1, 1000);
    directory.image().pages().for_each(|page| again.restore(page).unwrap());
    again.restored();
    assert_eq!(again.evidence(hash(ANN)), directory.evidence(hash(ANN)));
    for (held, left) in [(Block::Complained, 1), (Block::Unsubscribed, 0)] {
        let mut directory = again.clone();
        let erased = DirectoryEvent::Erased { person: PersonId(1), keep: Some((hash(ANN), held)) };
        directory.apply(&erased, START.plus(9 * DAY));
        assert_eq!((block(&directory), directory.evidence(hash(ANN)).len()), (Some(held), left));
    }
}

/// A letter of campaign 9 to the first contact, as its bounce token says.
fn letter(message_id: Option<u128>, went_to: Option<&str>) -> Proof {
    let (campaign, person) = (CampaignId(9), PersonId(1));
    Proof::Letter { campaign, person, message_id, named: Vec::new(), went_to: went_to.and_then(Email::parse) }
}

#[test]
fn a_letter_is_about_the_address_it_went_to_and_about_whoever_has_it_now() {
    let mut desk = Desk::new();
    desk.press(who("new@shop.example", "u1", ""), &[]);
    desk.press(who("old@shop.example", "u2", ""), &[]);
    let message_id = |email| TestKeeper.message_id(CampaignId(9), hash(email) as u64);
    for (proof, email, person) in [
        (letter(None, None), "new@shop.example", Some(PersonId(1))),
        (letter(None, Some("old@shop.example")), "old@shop.example", Some(PersonId(2))),
        (letter(None, Some("gone@shop.example")), "gone@shop.example", None),
        // The Message-ID knows better than the ledger, which may hold more than one try.
        (
            letter(Some(message_id("new@shop.example")), Some("old@shop.example")),
            "new@shop.example",
            Some(PersonId(1)),
        ),
        (letter(Some(message_id("x@shop.example")), None), "new@shop.example", Some(PersonId(1))),
    ] {
        let said = Report { proof, ..report(Kind::HardBounce, 1) };
        let ReturnDecision::New(returned) = desk.directory.decide_returned(&said, &TestKeeper) else {
            panic!("{email}");
        };
        assert_eq!((returned.address, returned.person), (hash(email), person), "{email}");
        assert_eq!(returned.evidence.campaign, Some(CampaignId(9)));
    }
}

#[test]
fn words_are_kept_without_the_address_that_only_the_directory_knew() {
    let mut desk = Desk::new();
    desk.press(who(ANN, "", ""), &[]);
    let mut said = Report { proof: Proof::Person(PersonId(1)), ..report(Kind::Policy, 1) };
    said.evidence.diagnostic = Some(format!("550 {ANN} refused"));
    let returned = take(&mut desk.directory, &said).unwrap();
    assert_eq!(returned.evidence.diagnostic.as_deref(), Some("550  refused"));
}

#[test]
fn a_proof_of_somebody_who_is_gone_leads_nowhere() {
    let directory = Directory::new(1, 1000);
    for proof in [Proof::Person(PersonId(1)), letter(None, None)] {
        let said = Report { proof, ..report(Kind::Complaint, 1) };
        assert_eq!(directory.decide_returned(&said, &TestKeeper), ReturnDecision::Unproved);
    }
}
