//! One record of every kind, with all there is to say and with as little as there can be: what golden bytes and golden
//! directories are made of.
//!
//! In tests and with the feature `sample` only.

use restockd_core::campaign::{CampaignEvent, Header, InDoubtPolicy, ReopenReason, Settlement, SkipReason};
use restockd_core::directory::{
    Accepted, ApiKey, Attested, ConsentEvidence, DirectoryEvent, FeedbackRecord, PersonFact, PublicKey,
    RestockFact, SuppressionReason,
};
use restockd_core::feedback::{self, FeedbackKind};
use restockd_core::list::{ChangeSource, ListEvent};
use restockd_core::outcome::{Diagnostic, FaultSource};
use restockd_core::shaping::RateCut;
use restockd_core::status::Enhanced;
use restockd_core::{CampaignId, Day, Email, ListId, Millis, PersonId, ProductDetails, Rate, Span};

use crate::entry::{self, Encoded, Entry, Stamp};

fn list_events() -> Vec<ListEvent> {
    let (event, person, changed) = (300, PersonId(7), Millis(1_767_225_599_999));
    let campaign = CampaignId(0x0123_4567_89ab_cdef_0011_2233_4455_6677);
    let sources = [
        ChangeSource::Event,
        ChangeSource::Api,
        ChangeSource::Contact,
        ChangeSource::Link,
        ChangeSource::Page,
        ChangeSource::Merge,
        ChangeSource::Erasure,
    ];
    let mut events = vec![
        ListEvent::Moved { event, from: PersonId(7), to: PersonId(70_000) },
        ListEvent::Named { event, product: "Stuhl „Ü“".into() },
        ListEvent::Stock { event, quantity: i64::MAX },
        ListEvent::Begun { campaign, upto: u32::MAX, added: 65_536 },
        ListEvent::Invited { campaign, from: 1, to: 256 },
        ListEvent::Closed { campaign },
        ListEvent::Forgotten { upto: changed },
    ];
    events.extend(sources.map(|source| ListEvent::Joined { event, person, ordinal: 12, changed, source }));
    events.extend(sources.map(|source| ListEvent::Left { event, person, changed, source }));
    let link = "https://shop.example/p/chair-01";
    let details = ProductDetails::of(Some(link), Some("http://cdn.example/chair-01.jpg"), Some("49,90 €"));
    let bare = ProductDetails::of(Some(link), None, None);
    for details in [None, Some(details), Some(bare)] {
        let (event, key, stock, day, campaign) = (300, u128::MAX - 1, Some(-3), Day(20_454), Some(campaign));
        let said = details.clone();
        events.push(ListEvent::Restocked {
            event,
            key,
            stock,
            day,
            campaign,
            upto: 251,
            added: 250,
            details: said,
        });
        let (event, key, stock, day, campaign) = (0, 1, None, Day(-1), None);
        events.push(ListEvent::Restocked { event, key, stock, day, campaign, upto: 0, added: 0, details });
    }
    events
}

fn directory_events() -> Vec<DirectoryEvent> {
    let (full, bare, person) = (full_event(), bare_event(), PersonId(3));
    let mut events = vec![
        DirectoryEvent::Event(full.clone()),
        DirectoryEvent::Event(bare.clone()),
        DirectoryEvent::Merged { from: PersonId(2), to: PersonId(1) },
        DirectoryEvent::Erased { person, keep: None },
        DirectoryEvent::Unsubscribed { person, address: Some(17), on: true },
        DirectoryEvent::Unsubscribed { person, address: None, on: false },
        DirectoryEvent::Released { address: 17 },
        DirectoryEvent::KeyMinted(api_key()),
        DirectoryEvent::KeyRevoked { id: "k1".into() },
    ];
    events.extend(suppressions(person));
    let attested = Some(Box::new(attested()));
    events.push(DirectoryEvent::Event(Accepted { attested: attested.clone(), ..bare }));
    events.push(DirectoryEvent::Event(Accepted { attested, ..full }));
    events.push(DirectoryEvent::ConfirmationMailed { person, round: 41 });
    events.push(DirectoryEvent::PublicKeyMinted(PublicKey {
        id: "k2".into(),
        name: "button".into(),
        hash: [0xcd; 32],
        origins: vec!["https://shop.example".into()],
        created: Millis(5),
        revoked: None,
    }));
    events.extend(feedback_events());
    events
}

/// An event of a shop with all there is to say.
fn full_event() -> Accepted {
    let list = ListId::stored("restock-chair 01");
    let restock = RestockFact {
        list: list.clone(),
        key: 99,
        product: Some("Chair".into()),
        quantity: Some(4),
        details: ProductDetails::default(),
    };
    Accepted {
        name: "notify_me".into(),
        key: Some(0xfeed),
        source: ChangeSource::Event,
        person: Some(PersonFact {
            id: PersonId(1),
            email: Email::parse("ann@shop.example"),
            user_id: Some("u-1".into()),
            anonymous_id: Some("a-1".into()),
            props: vec![("name".into(), "\"Ann\"".into())],
        }),
        bag: vec![(list.clone(), true), (ListId::stored("news"), false)],
        timestamp: Some(Millis(1_767_225_600_000)),
        product: Some((list, "Chair".into())),
        restock: Some(Box::new(restock)),
        attested: None,
    }
}

/// An event of a shop with as little as there can be.
fn bare_event() -> Accepted {
    Accepted {
        name: String::new(),
        key: None,
        source: ChangeSource::Contact,
        person: None,
        bag: Vec::new(),
        timestamp: None,
        product: None,
        restock: None,
        attested: None,
    }
}

fn api_key() -> ApiKey {
    ApiKey {
        id: "k1".into(),
        name: "shop".into(),
        admin: true,
        hash: [0xab; 32],
        created: Millis(5),
        revoked: Some(Millis(6)),
    }
}

/// A suppression for every reason, and an erasure that keeps it.
fn suppressions(person: PersonId) -> Vec<DirectoryEvent> {
    let mut events = Vec::new();
    for why in [
        SuppressionReason::Unsubscribed,
        SuppressionReason::Bounced,
        SuppressionReason::Complained,
        SuppressionReason::Manual,
    ] {
        let evidence = String::new();
        events.push(DirectoryEvent::Suppressed { address: 17, why, person: None, evidence });
        events.push(DirectoryEvent::Erased { person, keep: Some((17, why)) });
    }
    let (why, evidence) = (SuppressionReason::Complained, "a report of a provider".to_owned());
    events.push(DirectoryEvent::Suppressed { address: 17, why, person: Some(person), evidence });
    events.push(DirectoryEvent::Erased { person, keep: Some((17, SuppressionReason::Erased)) });
    events
}

/// What an event says of how somebody asked.
fn attested() -> Attested {
    let evidence = ConsentEvidence {
        key: "k1".into(),
        source: "203.0.113.0".into(),
        wording: "v3".into(),
        url: "https://shop.example/chair".into(),
    };
    Attested { evidence, asked: vec![ListId::stored("news")], within_ms: 172_800_000 }
}

/// A report of every kind, with all there is to say and with as little as there can be.
fn feedback_events() -> impl Iterator<Item = DirectoryEvent> {
    let kinds = [
        FeedbackKind::HardBounce,
        FeedbackKind::SoftBounce,
        FeedbackKind::Policy,
        FeedbackKind::Complaint,
        FeedbackKind::Delayed,
        FeedbackKind::Delivered,
        FeedbackKind::AutoReply,
        FeedbackKind::NotSpam,
    ];
    kinds.into_iter().enumerate().map(|(n, kind)| {
        let full = n % 2 == 0;
        let evidence = feedback::FeedbackEvidence {
            kind,
            at: Millis(1_767_225_600_000),
            source: "message".into(),
            status: full.then_some(Enhanced { class: 5, subject: 7, detail: 515 }),
            diagnostic: full.then(|| "550 5.1.1 no such mailbox".into()),
            campaign: full.then_some(CampaignId(0xbeef)),
            message_id: full.then(|| "00ff".into()),
        };
        let (key, person) = (full.then_some(0xfeed), full.then_some(PersonId(3)));
        let suppression_reason = full.then_some(SuppressionReason::Bounced);
        DirectoryEvent::Returned(FeedbackRecord { key, address: 17, person, suppression_reason, evidence })
    })
}

fn campaign_events() -> Vec<CampaignEvent> {
    let header = header();
    let mut events = life_events(&header);
    events.extend(settled_events(header.id));
    events.extend(provider_events(header.id));
    let (id, max_age, upto, added) = (header.id, Some(Span(14_400_000)), 9, 8);
    let header = Header { max_age, ..header };
    events.push(CampaignEvent::Scheduled(header.clone()));
    events.push(CampaignEvent::Opened { header: Some(header), id, upto, added });
    events
}

/// A campaign with all there is to say, but for the age of its letters.
fn header() -> Header {
    Header {
        id: CampaignId(0xbeef),
        key: Some("restock-x-2026-01-01".into()),
        name: "Back in stock".into(),
        list: ListId::stored("restock-x"),
        rule: true,
        day: Some(Day(20_454)),
        template: "back_in_stock".into(),
        props: "{}".into(),
        subject: Some("It is back".into()),
        from: Some("shop@shop.example".into()),
        on_doubt: InDoubtPolicy::Resend,
        rate: Some(Rate { letters: 100, period_ms: 1000, burst: 10 }),
        scheduled: Some(Millis(1_767_225_600_000)),
        max_age: None,
    }
}

/// From *scheduled* to *closed*, with a letter that starts and is put off.
fn life_events(header: &Header) -> Vec<CampaignEvent> {
    let id = header.id;
    let bare = Header {
        key: None,
        rule: false,
        day: None,
        subject: None,
        from: None,
        on_doubt: InDoubtPolicy::Hold,
        rate: None,
        scheduled: None,
        ..header.clone()
    };
    let (until, diagnostic) = (Millis(1 << 40), server_diagnostic());
    vec![
        CampaignEvent::Scheduled(header.clone()),
        CampaignEvent::Opened { header: Some(bare), id, upto: 9, added: 8 },
        CampaignEvent::Opened { header: None, id, upto: 9, added: 8 },
        CampaignEvent::Reopened { id, reason: ReopenReason::Restock { upto: 300, added: 2 } },
        CampaignEvent::Reopened { id, reason: ReopenReason::Failed },
        CampaignEvent::Reopened { id, reason: ReopenReason::Doubt },
        CampaignEvent::Paused(id),
        CampaignEvent::Resumed(id),
        CampaignEvent::Canceled(id),
        CampaignEvent::Expired(id),
        CampaignEvent::Failed { id, why: "no template".into() },
        CampaignEvent::Started { id, person: PERSON, ordinal: ORDINAL, address: u64::MAX, provider: None },
        CampaignEvent::Deferred { id, person: PERSON, ordinal: ORDINAL, until, diagnostic },
        CampaignEvent::Dropped(id),
        CampaignEvent::Closed { id },
    ]
}

/// The recipient of every letter here.
const PERSON: PersonId = PersonId(9);
/// That recipient's place in line.
const ORDINAL: u32 = 4;

fn server_diagnostic() -> Diagnostic {
    Diagnostic::of_server(451, "4.3.0 later")
}

fn own_diagnostic() -> Diagnostic {
    Diagnostic::own("no answer", FaultSource::TestInbox)
}

/// A letter settled in every way, and a note that somebody may no longer be mailed.
fn settled_events(id: CampaignId) -> Vec<CampaignEvent> {
    let failed = Settlement::Failed { diagnostic: server_diagnostic() };
    let doubt = Settlement::Doubt { diagnostic: own_diagnostic() };
    let ends = [Settlement::Sent, failed, doubt].into_iter().chain(SkipReason::ALL.map(Settlement::Skipped));
    let settled = |settlement| CampaignEvent::Settled { id, person: PERSON, ordinal: ORDINAL, settlement };
    let mut events: Vec<_> = ends.map(settled).collect();
    events.push(CampaignEvent::RecipientExcluded {
        id,
        person: PERSON,
        ordinal: ORDINAL,
        reason: SkipReason::Left,
    });
    events
}

/// What names a provider: a letter counted there, one that is counted no more, and a cut rate.
fn provider_events(id: CampaignId) -> Vec<CampaignEvent> {
    let (provider, person, ordinal) = ("google".to_owned(), PERSON, ORDINAL);
    let counted = Some(provider.clone());
    let cut =
        RateCut { rate: 30, target: 1200, until: Millis(1 << 41), pause_ms: 5000, stepped: Millis(1 << 40) };
    let reply = Some("421 4.7.28 slower".to_owned());
    vec![
        CampaignEvent::Started { id, person, ordinal, address: 7, provider: counted.clone() },
        CampaignEvent::Unstarted {
            id,
            person,
            ordinal,
            started: Millis(7),
            provider: counted,
            until: Millis(1 << 40),
            diagnostic: Diagnostic { fault: FaultSource::Shop, ..own_diagnostic() },
        },
        CampaignEvent::Swept,
        CampaignEvent::Paced { provider: provider.clone(), cut: Some(cut), reply },
        CampaignEvent::Paced { provider, cut: None, reply: None },
    ]
}

/// One record of every kind and of every variety within it, as the log has them.
#[must_use]
pub fn entries() -> Vec<Entry> {
    let stamp = Stamp { seq: 1000, at: Millis(1_767_225_599_999) };
    let list = ListId::stored("restock-x");
    let lists = list_events().into_iter().map(|event| Entry::List(stamp, list.clone(), event));
    let directory = directory_events().into_iter().map(|event| Entry::Directory(stamp, event));
    let campaigns = campaign_events().into_iter().map(|event| Entry::Campaign(stamp, event));
    lists.chain(directory).chain(campaigns).collect()
}

/// An entry as the log takes it.
#[must_use]
pub fn encoded(entry: &Entry) -> Encoded {
    match entry {
        Entry::List(stamp, list, event) => entry::of_list(*stamp, list, event),
        Entry::Directory(stamp, event) => entry::of_directory(*stamp, event),
        Entry::Campaign(stamp, event) => entry::of_campaign(*stamp, event),
    }
}
