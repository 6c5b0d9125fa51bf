//! Bounces and complaints: what each does, once.

use super::*;
use crate::CampaignId;
use crate::feedback::{FeedbackEvidence, FeedbackKind, FeedbackProof, FeedbackReport, Pseudonymizer};

const ANN: &str = "ann@shop.example";
const DAY: u64 = 86_400_000;

/// A report number `n` about Ann's address on day `n`.
fn report(kind: FeedbackKind, n: u64) -> FeedbackReport {
    let evidence = FeedbackEvidence {
        kind,
        at: START.plus(n * DAY),
        source: "message".into(),
        status: None,
        diagnostic: None,
        campaign: None,
        message_id: Some(format!("m{n}")),
    };
    let proof = FeedbackProof::Address(Email::parse(ANN).unwrap(), None);
    FeedbackReport { name: format!("r{n}"), proof, evidence, soft_bounces: 3, soft_window_ms: 30 * DAY }
}

/// Hashes good enough for tests.
struct TestKeeper;

impl Pseudonymizer for TestKeeper {
    fn address(&self, email: &Email) -> u128 {
        hash(email.as_str())
    }

    fn message_id(&self, campaign: CampaignId, address: u64) -> u128 {
        campaign.0 << 64 | u128::from(address)
    }

    fn key(&self, source: &str, name: &str, address: u128) -> u128 {
        hash(&format!("{source} {name} {address}"))
    }

    fn redact(&self, words: &str, email: &Email) -> String {
        words.replace(email.as_str(), "")
    }
}

/// Takes a report in; what was decided.
fn take(directory: &mut Directory, report: &FeedbackReport) -> Option<FeedbackRecord> {
    let FeedbackDecision::New(returned) = directory.decide_feedback(report, &TestKeeper) else { return None };
    directory.apply(&DirectoryEvent::Returned(returned.clone()), report.evidence.at);
    Some(returned)
}

fn suppression_reason(directory: &Directory) -> Option<SuppressionReason> {
    directory.suppression_reason(hash(ANN))
}

#[test]
fn a_hard_bounce_and_a_complaint_suppress_at_once_and_policy_never_does() {
    for (kind, expected) in [
        (FeedbackKind::HardBounce, Some(SuppressionReason::Bounced)),
        (FeedbackKind::Complaint, Some(SuppressionReason::Complained)),
        (FeedbackKind::Policy, None),
        (FeedbackKind::SoftBounce, None),
    ] {
        let mut directory = Directory::new(1, 1000);
        take(&mut directory, &report(kind, 1)).unwrap();
        assert_eq!(suppression_reason(&directory), expected, "{kind:?}");
        assert_eq!(directory.evidence(hash(ANN)).len(), 1);
    }
    let mut directory = Directory::new(1, 1000);
    (0..100).for_each(|n| drop(take(&mut directory, &report(FeedbackKind::Policy, n))));
    assert_eq!(suppression_reason(&directory), None);
    assert_eq!(directory.evidence(hash(ANN)).len(), EVIDENCE_MAX);
}

#[test]
fn so_many_soft_bounces_within_the_window_suppress_and_older_ones_do_not_count() {
    let mut directory = Directory::new(1, 1000);
    for (n, expected) in [(0, None), (25, None), (50, None), (54, Some(SuppressionReason::Bounced))] {
        take(&mut directory, &report(FeedbackKind::SoftBounce, n)).unwrap();
        assert_eq!(suppression_reason(&directory), expected, "day {n}");
    }
}

#[test]
fn one_letter_counts_once_however_many_ways_it_is_reported() {
    let mut directory = Directory::new(1, 1000);
    for n in 0..5 {
        let mut again = report(FeedbackKind::SoftBounce, n);
        again.evidence.source = format!("relay{n}");
        again.evidence.message_id = Some("one letter".into());
        take(&mut directory, &again).unwrap();
    }
    assert_eq!(suppression_reason(&directory), None);
    let (mut one, mut two) = (report(FeedbackKind::SoftBounce, 6), report(FeedbackKind::SoftBounce, 7));
    one.proof = FeedbackProof::Address(Email::parse(ANN).unwrap(), Some(CampaignId(1)));
    two.proof = one.proof.clone();
    take(&mut directory, &one).unwrap();
    take(&mut directory, &two).unwrap();
    assert_eq!(suppression_reason(&directory), None, "two letters, not seven");
    take(&mut directory, &report(FeedbackKind::SoftBounce, 8)).unwrap();
    assert_eq!(suppression_reason(&directory), Some(SuppressionReason::Bounced));
}

#[test]
fn the_same_report_again_is_nothing_even_when_it_is_told_under_another_name() {
    let mut directory = Directory::new(1, 1000);
    let first = report(FeedbackKind::Complaint, 1);
    assert!(take(&mut directory, &first).is_some());
    assert!(take(&mut directory, &first).is_none());
    let renamed = FeedbackReport { name: "another".into(), ..first };
    assert!(take(&mut directory, &renamed).is_none());
    assert_eq!(directory.evidence(hash(ANN)).len(), 1);
}

#[test]
fn a_full_window_of_keys_loses_no_complaint() {
    let mut directory = Directory::new(1, 1);
    assert!(take(&mut directory, &report(FeedbackKind::Policy, 0)).unwrap().key.is_some());
    let complaint = FeedbackReport { name: "another".into(), ..report(FeedbackKind::Complaint, 0) };
    assert_eq!(take(&mut directory, &complaint).unwrap().key, None);
    assert_eq!(suppression_reason(&directory), Some(SuppressionReason::Complained));
}

#[test]
fn a_complaint_outweighs_and_a_bounce_replaces_nothing() {
    for held in [
        SuppressionReason::Unsubscribed,
        SuppressionReason::Manual,
        SuppressionReason::Bounced,
        SuppressionReason::Complained,
    ] {
        let mut directory = Directory::new(1, 1000);
        let event = blocked(hash(ANN), held);
        directory.apply(&event, START);
        assert_eq!(
            take(&mut directory, &report(FeedbackKind::HardBounce, 1)).unwrap().suppression_reason,
            None
        );
        assert_eq!(suppression_reason(&directory), Some(held));
        take(&mut directory, &report(FeedbackKind::Complaint, 2)).unwrap();
        assert_eq!(suppression_reason(&directory), Some(SuppressionReason::Complained));
    }
}

#[test]
fn what_blocked_an_address_is_remembered_longest_and_a_lifted_block_counts_afresh() {
    let mut directory = Directory::new(1, 1000);
    take(&mut directory, &report(FeedbackKind::HardBounce, 0)).unwrap();
    (1..100).for_each(|n| drop(take(&mut directory, &report(FeedbackKind::SoftBounce, n))));
    let held = directory.evidence(hash(ANN));
    assert_eq!((held.len(), held[0].kind), (EVIDENCE_MAX, FeedbackKind::HardBounce));
    directory.apply(&DirectoryEvent::Released { address: hash(ANN) }, START);
    assert_eq!(directory.evidence(hash(ANN)).len(), 1);
    take(&mut directory, &report(FeedbackKind::SoftBounce, 100)).unwrap();
    assert_eq!(suppression_reason(&directory), None);
}

#[test]
fn evidence_outlives_a_snapshot_and_an_erasure_where_it_blocks() {
    let mut directory = Directory::new(1, 1000);
    take(&mut directory, &report(FeedbackKind::Complaint, 1)).unwrap();
    let mut again = Directory::new(1, 1000);
    directory.image().pages().for_each(|page| again.restore(page).unwrap());
    again.restored();
    assert_eq!(again.evidence(hash(ANN)), directory.evidence(hash(ANN)));
    for (held, left) in [(SuppressionReason::Complained, 1), (SuppressionReason::Unsubscribed, 0)] {
        let mut directory = again.clone();
        let erased = DirectoryEvent::Erased { person: PersonId(1), keep: Some((hash(ANN), held)) };
        directory.apply(&erased, START.plus(9 * DAY));
        assert_eq!((suppression_reason(&directory), directory.evidence(hash(ANN)).len()), (Some(held), left));
    }
}

/// A letter of campaign 9 to the first contact, as its bounce token says.
fn letter(message_id: Option<u128>, went_to: Option<&str>) -> FeedbackProof {
    let (campaign, person) = (CampaignId(9), PersonId(1));
    FeedbackProof::Letter {
        campaign,
        person,
        message_id,
        named: Vec::new(),
        went_to: went_to.and_then(Email::parse),
    }
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
        let said = FeedbackReport { proof, ..report(FeedbackKind::HardBounce, 1) };
        let FeedbackDecision::New(returned) = desk.directory.decide_feedback(&said, &TestKeeper) else {
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
    let mut said =
        FeedbackReport { proof: FeedbackProof::Person(PersonId(1)), ..report(FeedbackKind::Policy, 1) };
    said.evidence.diagnostic = Some(format!("550 {ANN} refused"));
    let returned = take(&mut desk.directory, &said).unwrap();
    assert_eq!(returned.evidence.diagnostic.as_deref(), Some("550  refused"));
}

#[test]
fn a_proof_of_somebody_who_is_gone_leads_nowhere() {
    let directory = Directory::new(1, 1000);
    for proof in [FeedbackProof::Person(PersonId(1)), letter(None, None)] {
        let said = FeedbackReport { proof, ..report(FeedbackKind::Complaint, 1) };
        assert_eq!(directory.decide_feedback(&said, &TestKeeper), FeedbackDecision::Unproved);
    }
}
