//! The campaign machine: opening by a restock, and a letter from its start to its end.

use divan::Bencher;
use restockd_core::campaign::{CampaignEvent, Campaigns, Header, NextLetter, Settlement};
use restockd_core::list::Invitee;
use restockd_core::{CampaignId, ListId, Millis, PersonId, Retry};

use crate::NOON;

/// The audience of a campaign.
const PEOPLE: u32 = 1_000;
/// The time within which nobody is mailed twice: 12 hours.
const GUARD_MS: u64 = 12 * 3_600_000;
const DAY_MS: u64 = 24 * 3_600_000;

/// The header of a rule campaign of a list and a day.
pub fn header(id: u128, list: &str, day: u64) -> Header {
    let date = NOON.plus(day * DAY_MS).day(0);
    Header {
        key: Some(format!("{list}-{day}")),
        name: list.to_owned(),
        template: "ecommerce/back-in-stock".to_owned(),
        props: r#"{"sku":"chair-01","product_name":"Studio chair"}"#.to_owned(),
        subject: Some("Studio chair is back in stock".to_owned()),
        ..Header::sample(CampaignId(id), ListId::parse(list).unwrap(), date)
    }
}

/// Opens a campaign for everybody and looks everybody up.
fn open(campaigns: &mut Campaigns, header: &Header, at: Millis) {
    let event = campaigns.decide_restock(header.clone(), PEOPLE, PEOPLE).unwrap();
    campaigns.apply(&event, at);
    let invitee = |n| Invitee { person: PersonId(n), ordinal: n, here: true };
    let people: Vec<Invitee> = (1..=PEOPLE).map(invitee).collect();
    campaigns.apply_invited(header.id, &people, true, at);
}

/// Starts one letter, which is accepted.
fn letter(campaigns: &mut Campaigns, id: CampaignId, row: u32, at: Millis) {
    let address = u64::from(row).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let NextLetter::Start(started) = campaigns.decide_letter(id, row, None, address, GUARD_MS, at) else {
        panic!("row {row} does not start")
    };
    campaigns.apply(&started, at);
    let CampaignEvent::Started { id, person, ordinal, .. } = started else { panic!("not a start") };
    let settlement = Settlement::Sent;
    campaigns.apply(&CampaignEvent::Settled { id, person, ordinal, settlement }, at);
}

/// A restock opens the campaign of its day.
#[divan::bench(max_time = 0.5)]
fn opened(bencher: Bencher<'_, '_>) {
    let mut campaigns = Campaigns::new(None, Retry::default());
    let mut next = 1..;
    bencher
        .with_inputs(|| next.next().map(|n| header(n, &format!("restock-sku-{n}"), 0)).unwrap())
        .bench_local_values(|header| {
            let event = campaigns.decide_restock(header, 3, 3).unwrap();
            campaigns.apply(&event, NOON);
        });
}

/// Starts and settles a letter, where so many earlier campaigns mailed the same people, a day apart.
#[divan::bench(args = [0, 8], max_time = 1)]
fn letter_started_and_settled(bencher: Bencher<'_, '_>, earlier: u64) {
    let mut campaigns = Campaigns::new(None, Retry::default());
    let (mut series, mut rows) = (0, 0..0);
    // The machine also changes while inputs are made: when one campaign is sent, the next opens.
    let machine = std::cell::RefCell::new(&mut campaigns);
    let at = NOON.plus(earlier * DAY_MS);
    bencher
        .with_inputs(|| {
            if rows.is_empty() {
                let machine = &mut machine.borrow_mut();
                series += 1;
                let list = format!("restock-sku-{series}");
                for day in 0..=earlier {
                    let (id, then) = (series * 1000 + u128::from(day), NOON.plus(day * DAY_MS));
                    open(machine, &header(id, &list, day), then);
                    if day < earlier {
                        (0..PEOPLE).for_each(|row| letter(machine, CampaignId(id), row, then));
                        machine.apply(&CampaignEvent::Closed { id: CampaignId(id) }, then);
                    }
                }
                rows = 0..PEOPLE;
            }
            (CampaignId(series * 1000 + u128::from(earlier)), rows.next().unwrap())
        })
        .bench_local_values(|(id, row)| letter(&mut machine.borrow_mut(), id, row, at));
}
