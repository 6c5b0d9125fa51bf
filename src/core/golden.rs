//! Golden bytes: one record of every variant as it stands in logs out there.
//!
//! A line that must change here is a new record version, not a new golden line. The matches
//! below are without a wildcard, so a new variant does not compile until it is numbered, and the
//! table fails until it has a line for it.

use std::collections::BTreeSet;

use super::campaign::{Again, CampaignEvent, Header, OnDoubt, Settlement, Skip};
use super::directory::{
    Accepted, ApiKey, Block, DirectoryEvent, Evidence, PersonFact, PublicKey, RestockFact, Returned,
};
use super::list::{How, ListEvent};
use super::outcome::{Diagnostic, Fault};
use super::record::{self, Entry, Stamp};
use super::returns::{self, Kind};
use super::shaping::Cut;
use super::status::Enhanced;
use super::{CampaignId, Day, Email, ListId, Millis, Offer, PersonId, Rate, Span};

/// `kind hex`, in the order of [`entries`].
const GOLDEN: &str = include_str!("golden.txt");

/// Position of a variant among the records of a list.
fn list_variant(event: &ListEvent) -> usize {
    match event {
        ListEvent::Joined { .. } => 0,
        ListEvent::Left { .. } => 1,
        ListEvent::Moved { .. } => 2,
        ListEvent::Named { .. } => 3,
        ListEvent::Restocked { .. } => 4,
        ListEvent::Stock { .. } => 5,
        ListEvent::Begun { .. } => 6,
        ListEvent::Invited { .. } => 7,
        ListEvent::Closed { .. } => 8,
        ListEvent::Forgotten { .. } => 9,
    }
}

/// Position of a variant among the records of the directory.
fn directory_variant(event: &DirectoryEvent) -> usize {
    match event {
        DirectoryEvent::Event(_) => 0,
        DirectoryEvent::Merged { .. } => 1,
        DirectoryEvent::Erased { .. } => 2,
        DirectoryEvent::Unsubscribed { .. } => 3,
        DirectoryEvent::Suppression { .. } => 4,
        DirectoryEvent::KeyMinted(_) => 5,
        DirectoryEvent::KeyRevoked { .. } => 6,
        DirectoryEvent::Suppressed { .. } => 7,
        DirectoryEvent::Attested { .. } => 8,
        DirectoryEvent::Mailed { .. } => 9,
        DirectoryEvent::PublicKeyMinted(_) => 10,
        DirectoryEvent::Returned(_) => 11,
        DirectoryEvent::Offered { .. } => 12,
    }
}

/// Position of a variant among the records of the campaigns.
fn campaign_variant(event: &CampaignEvent) -> usize {
    match event {
        CampaignEvent::Scheduled(_) => 0,
        CampaignEvent::Opened { .. } => 1,
        CampaignEvent::Reopened { .. } => 2,
        CampaignEvent::Paused(_) => 3,
        CampaignEvent::Resumed(_) => 4,
        CampaignEvent::Canceled(_) => 5,
        CampaignEvent::Expired(_) => 6,
        CampaignEvent::Failed { .. } => 7,
        CampaignEvent::Started { .. } => 8,
        CampaignEvent::Settled { .. } => 9,
        CampaignEvent::Deferred { .. } => 10,
        CampaignEvent::Dropped(_) => 11,
        CampaignEvent::Closed { .. } => 12,
        CampaignEvent::Noted { .. } => 13,
        CampaignEvent::Unstarted { .. } => 14,
        CampaignEvent::Paced { .. } => 15,
        CampaignEvent::Swept => 16,
    }
}

/// How many variants there are, by kind.
const VARIANTS: [usize; 3] = [10, 13, 17];

fn list_events() -> Vec<ListEvent> {
    let (event, person, changed) = (300, PersonId(7), Millis(1_767_225_599_999));
    let campaign = CampaignId(0x0123_4567_89ab_cdef_0011_2233_4455_6677);
    let hows = [How::Event, How::Api, How::Contact, How::Link, How::Page, How::Merge, How::Erasure];
    let mut events = vec![
        ListEvent::Moved { event, from: PersonId(7), to: PersonId(70_000) },
        ListEvent::Named { event, product: "Stuhl „Ü“".into() },
        ListEvent::Stock { event, quantity: i64::MAX },
        ListEvent::Begun { campaign, upto: u32::MAX, added: 65_536 },
        ListEvent::Invited { campaign, from: 1, to: 256 },
        ListEvent::Closed { campaign },
        ListEvent::Forgotten { upto: changed },
    ];
    events.extend(hows.map(|how| ListEvent::Joined { event, person, ordinal: 12, changed, how }));
    events.extend(hows.map(|how| ListEvent::Left { event, person, changed, how }));
    let link = "https://shop.example/p/chair-01";
    let offer = Offer::of(Some(link), Some("http://cdn.example/chair-01.jpg"), Some("49,90 €"));
    let bare = Offer::of(Some(link), None, None);
    for offer in [None, Some(offer), Some(bare)] {
        let (event, key, stock, day, campaign) = (300, u128::MAX - 1, Some(-3), Day(20_454), Some(campaign));
        let said = offer.clone();
        events.push(ListEvent::Restocked {
            event,
            key,
            stock,
            day,
            campaign,
            upto: 251,
            added: 250,
            offer: said,
        });
        let (event, key, stock, day, campaign) = (0, 1, None, Day(-1), None);
        events.push(ListEvent::Restocked { event, key, stock, day, campaign, upto: 0, added: 0, offer });
    }
    events
}

fn directory_events() -> Vec<DirectoryEvent> {
    let list = ListId::parse("restock-chair 01").unwrap();
    let restock =
        RestockFact { list: list.clone(), key: 99, product: Some("Chair".into()), quantity: Some(4) };
    let full = Accepted {
        name: "notify_me".into(),
        key: Some(0xfeed),
        how: How::Event,
        person: Some(PersonFact {
            id: PersonId(1),
            email: Email::parse("ann@shop.example"),
            user_id: Some("u-1".into()),
            anonymous_id: Some("a-1".into()),
            props: vec![("name".into(), "\"Ann\"".into())],
        }),
        bag: vec![(list.clone(), true), (ListId::parse("news").unwrap(), false)],
        timestamp: Some(Millis(1_767_225_600_000)),
        product: Some((list, "Chair".into())),
        restock: Some(restock),
    };
    let bare = Accepted {
        name: String::new(),
        key: None,
        how: How::Contact,
        person: None,
        bag: Vec::new(),
        timestamp: None,
        product: None,
        restock: None,
    };
    let key = ApiKey {
        id: "k1".into(),
        name: "shop".into(),
        admin: true,
        hash: [0xab; 32],
        created: Millis(5),
        revoked: Some(Millis(6)),
    };
    let person = PersonId(3);
    let mut events = vec![
        DirectoryEvent::Event(full.clone()),
        DirectoryEvent::Event(bare.clone()),
        DirectoryEvent::Merged { from: PersonId(2), to: PersonId(1) },
        DirectoryEvent::Erased { person, keep: None },
        DirectoryEvent::Unsubscribed { person, address: Some(17), on: true },
        DirectoryEvent::Unsubscribed { person, address: None, on: false },
        DirectoryEvent::Suppression { address: 17, block: None },
        DirectoryEvent::KeyMinted(key),
        DirectoryEvent::KeyRevoked { id: "k1".into() },
    ];
    for block in [Block::Unsubscribed, Block::Bounced, Block::Complained, Block::Manual] {
        events.push(DirectoryEvent::Suppression { address: 17, block: Some(block) });
        events.push(DirectoryEvent::Erased { person, keep: Some((17, block)) });
    }
    let (why, evidence) = (Block::Complained, "a report of a provider".to_owned());
    events.push(DirectoryEvent::Suppressed { address: 17, why, person: Some(person), evidence });
    events.push(DirectoryEvent::Erased { person, keep: Some((17, Block::Erased)) });
    let evidence = Evidence {
        key: "k1".into(),
        source: "203.0.113.0".into(),
        wording: "v3".into(),
        url: "https://shop.example/chair".into(),
    };
    let asked = vec![ListId::parse("news").unwrap()];
    let attested = Some(Box::new((evidence.clone(), asked.clone(), 172_800_000)));
    events.push(DirectoryEvent::Attested { event: bare, evidence, asked, within_ms: 172_800_000 });
    events.push(DirectoryEvent::Mailed { person, round: 41 });
    events.push(DirectoryEvent::PublicKeyMinted(PublicKey {
        id: "k2".into(),
        name: "button".into(),
        hash: [0xcd; 32],
        origins: vec!["https://shop.example".into()],
        created: Millis(5),
        revoked: None,
    }));
    events.extend(returned());
    let offer = Box::new(Offer::of(None, None, Some("49,90 €")));
    for attested in [None, attested] {
        events.push(DirectoryEvent::Offered { event: full.clone(), offer: offer.clone(), attested });
    }
    events
}

/// A report of every kind, with all there is to say and with as little as there can be.
fn returned() -> impl Iterator<Item = DirectoryEvent> {
    let kinds = [
        Kind::HardBounce,
        Kind::SoftBounce,
        Kind::Policy,
        Kind::Complaint,
        Kind::Delayed,
        Kind::Delivered,
        Kind::AutoReply,
        Kind::NotSpam,
    ];
    kinds.into_iter().enumerate().map(|(n, kind)| {
        let full = n % 2 == 0;
        let evidence = returns::Evidence {
            kind,
            at: Millis(1_767_225_600_000),
            source: "message".into(),
            status: full.then_some(Enhanced { class: 5, subject: 7, detail: 515 }),
            diagnostic: full.then(|| "550 5.1.1 no such mailbox".into()),
            campaign: full.then_some(CampaignId(0xbeef)),
            message_id: full.then(|| "00ff".into()),
        };
        let (key, person) = (full.then_some(0xfeed), full.then_some(PersonId(3)));
        let block = full.then_some(Block::Bounced);
        DirectoryEvent::Returned(Returned { key, address: 17, person, block, evidence })
    })
}

fn campaign_events() -> Vec<CampaignEvent> {
    let (id, person, ordinal) = (CampaignId(0xbeef), PersonId(9), 4);
    let header = Header {
        id,
        key: Some("restock-x-2026-01-01".into()),
        name: "Back in stock".into(),
        list: ListId::parse("restock-x").unwrap(),
        rule: true,
        day: Some(Day(20_454)),
        template: "back_in_stock".into(),
        props: "{}".into(),
        subject: Some("It is back".into()),
        from: Some("shop@shop.example".into()),
        on_doubt: OnDoubt::Resend,
        rate: Some(Rate { letters: 100, period_ms: 1000, burst: 10 }),
        scheduled: Some(Millis(1_767_225_600_000)),
        max_age: None,
    };
    let bare = Header {
        key: None,
        rule: false,
        day: None,
        subject: None,
        from: None,
        on_doubt: OnDoubt::Hold,
        rate: None,
        scheduled: None,
        ..header.clone()
    };
    let diagnostic = Diagnostic::of_server(451, "4.3.0 later");
    let mut events = vec![
        CampaignEvent::Scheduled(header.clone()),
        CampaignEvent::Opened { header: Some(bare), id, upto: 9, added: 8 },
        CampaignEvent::Opened { header: None, id, upto: 9, added: 8 },
        CampaignEvent::Reopened { id, again: Again::Restock { upto: 300, added: 2 } },
        CampaignEvent::Reopened { id, again: Again::Failed },
        CampaignEvent::Reopened { id, again: Again::Doubt },
        CampaignEvent::Paused(id),
        CampaignEvent::Resumed(id),
        CampaignEvent::Canceled(id),
        CampaignEvent::Expired(id),
        CampaignEvent::Failed { id, why: "no template".into() },
        CampaignEvent::Started { id, person, ordinal, address: u64::MAX, provider: None },
        CampaignEvent::Deferred {
            id,
            person,
            ordinal,
            until: Millis(1 << 40),
            diagnostic: diagnostic.clone(),
        },
        CampaignEvent::Dropped(id),
        CampaignEvent::Closed { id },
    ];
    let own = Diagnostic::own("no answer", Fault::TestInbox);
    let failed = Settlement::Failed { diagnostic: diagnostic.clone() };
    let ends = [Settlement::Sent, failed, Settlement::Doubt { diagnostic: own.clone() }].into_iter();
    for settlement in ends.chain(Skip::ALL.map(Settlement::Skipped)) {
        events.push(CampaignEvent::Settled { id, person, ordinal, settlement });
    }
    events.push(CampaignEvent::Noted { id, person, ordinal, reason: Skip::Left });
    let provider = "google".to_owned();
    let counted = Some(provider.clone());
    let started = CampaignEvent::Started { id, person, ordinal, address: 7, provider: counted.clone() };
    let (until, diagnostic) = (Millis(1 << 40), Diagnostic { fault: Fault::Shop, ..own });
    let unstarted = CampaignEvent::Unstarted {
        id,
        person,
        ordinal,
        started: Millis(7),
        provider: counted,
        until,
        diagnostic,
    };
    events.extend([started, unstarted, CampaignEvent::Swept]);
    let cut =
        Cut { rate: 30, target: 1200, until: Millis(1 << 41), pause_ms: 5000, stepped: Millis(1 << 40) };
    let reply = Some("421 4.7.28 slower".to_owned());
    events.push(CampaignEvent::Paced { provider: provider.clone(), cut: Some(cut), reply });
    events.push(CampaignEvent::Paced { provider, cut: None, reply: None });
    let (max_age, upto, added) = (Some(Span(14_400_000)), 9, 8);
    let header = Header { max_age, ..header };
    events.push(CampaignEvent::Scheduled(header.clone()));
    events.push(CampaignEvent::Opened { header: Some(header), id, upto, added });
    events
}

/// Every sample, as the log has it.
fn entries() -> Vec<Entry> {
    let stamp = Stamp { seq: 1000, at: Millis(1_767_225_599_999) };
    let list = ListId::parse("restock-x").unwrap();
    let lists = list_events().into_iter().map(|event| Entry::List(stamp, list.clone(), event));
    let directory = directory_events().into_iter().map(|event| Entry::Directory(stamp, event));
    let campaigns = campaign_events().into_iter().map(|event| Entry::Campaign(stamp, event));
    lists.chain(directory).chain(campaigns).collect()
}

/// Kind and bytes of an entry.
fn write(entry: &Entry) -> (u8, Vec<u8>) {
    match entry {
        Entry::List(stamp, list, event) => record::of_list(*stamp, list, event),
        Entry::Directory(stamp, event) => record::of_directory(*stamp, event),
        Entry::Campaign(stamp, event) => record::of_campaign(*stamp, event),
    }
}

/// A line of the table.
fn line(entry: &Entry) -> String {
    let (kind, bytes) = write(entry);
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{kind} {hex}")
}

#[test]
fn every_variant_has_a_golden_line() {
    let mut seen = [BTreeSet::new(), BTreeSet::new(), BTreeSet::new()];
    for entry in entries() {
        match &entry {
            Entry::List(_, _, event) => seen[0].insert(list_variant(event)),
            Entry::Directory(_, event) => seen[1].insert(directory_variant(event)),
            Entry::Campaign(_, event) => seen[2].insert(campaign_variant(event)),
        };
    }
    for (seen, variants) in seen.into_iter().zip(VARIANTS) {
        assert_eq!(seen, (0..variants).collect::<BTreeSet<_>>());
    }
}

#[test]
fn records_are_written_as_they_always_were() {
    let lines: Vec<String> = entries().iter().map(line).collect();
    let golden: Vec<&str> = GOLDEN.lines().collect();
    for (n, (line, golden)) in lines.iter().zip(&golden).enumerate() {
        assert_eq!(line, golden, "golden line {}", n + 1);
    }
    assert_eq!(lines.len(), golden.len(), "lines wanted:\n{}", lines.join("\n"));
}

#[test]
fn golden_lines_read_back_as_what_was_written() {
    for (golden, entry) in GOLDEN.lines().zip(entries()) {
        let (kind, hex) = golden.split_once(' ').unwrap();
        let bytes: Vec<u8> =
            (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect();
        let kind = kind.parse().unwrap();
        assert_eq!(record::read(kind, record::VERSION, &bytes).unwrap(), entry);
        assert!(record::read(kind, record::VERSION, &[bytes.as_slice(), &[0]].concat()).is_err());
        assert!(record::read(kind, record::VERSION, &bytes[..bytes.len() - 1]).is_err());
    }
}

#[test]
fn an_unknown_kind_or_version_is_refused_by_name() {
    let (kind, bytes) = write(&entries()[0]);
    assert!(record::read(kind, record::VERSION + 1, &bytes).is_err());
    assert!(record::read(4, record::VERSION, &bytes).is_err());
    assert!(record::read(0, record::VERSION, &bytes).is_err());
}
