//! The list machine: decide and apply, for short, middling and long lists.
//!
//! Each change is made to a list that has just woken, so that none is measured twice on the same rows.

use divan::{Bencher, black_box};
use restockd_core::list::{ChangeSource, List, ListCommand, ListDecision};
use restockd_core::{CampaignId, PersonId, ProductDetails};
use restockd_records::PackedList;

use crate::NOON;

/// Members: below the index, above it, far above it.
pub const MEMBERS: [u32; 3] = [3, 100, 10_000];

/// A list whose members are the people 1 to `members`.
pub fn of(members: u32) -> List {
    let mut list = List::default();
    (1..=members).for_each(|n| write(&mut list, &change(n, n, true)));
    list
}

fn change(event: u32, person: u32, join: bool) -> ListCommand {
    ListCommand::Change {
        event: event.into(),
        person: PersonId(person),
        join,
        timestamp: None,
        source: ChangeSource::Event,
        default_opt_in: false,
    }
}

fn write(list: &mut List, command: &ListCommand) {
    let ListDecision::New(event) = list.decide(command, NOON) else { panic!("nothing new: {command:?}") };
    list.apply(&event, NOON);
}

/// Measures a command that changes the list.
fn changes(bencher: Bencher<'_, '_>, members: u32, command: &ListCommand) {
    let packed = PackedList::of(&of(members));
    bencher.with_inputs(|| packed.unpack().unwrap()).bench_values(|mut list| {
        write(&mut list, black_box(command));
        list
    });
}

/// A new person takes the next place.
#[divan::bench(args = MEMBERS, max_time = 0.5)]
fn join(bencher: Bencher<'_, '_>, members: u32) {
    changes(bencher, members, &change(members + 1, members + 1, true));
}

/// The person in the middle presses again: nothing changes.
#[divan::bench(args = MEMBERS, max_time = 0.5)]
fn join_again(bencher: Bencher<'_, '_>, members: u32) {
    let list = of(members);
    let command = change(members + 1, members.div_ceil(2), true);
    assert_eq!(list.decide(&command, NOON), ListDecision::Nothing);
    bencher.bench(|| black_box(&list).decide(black_box(&command), NOON));
}

/// The person in the middle leaves.
#[divan::bench(args = MEMBERS, max_time = 0.5)]
fn leave(bencher: Bencher<'_, '_>, members: u32) {
    changes(bencher, members, &change(members + 1, members.div_ceil(2), false));
}

/// A restock signal counts and opens a campaign.
#[divan::bench(args = MEMBERS, max_time = 0.5)]
fn restock(bencher: Bencher<'_, '_>, members: u32) {
    changes(bencher, members, &signal());
}

/// A campaign asks for a window of 64; the list says who that is.
#[divan::bench(args = MEMBERS, max_time = 0.5)]
fn invite(bencher: Bencher<'_, '_>, members: u32) {
    let mut list = of(members);
    write(&mut list, &signal());
    let packed = PackedList::of(&list);
    let command = ListCommand::Invite { campaign: CampaignId(1), most: 64 };
    bencher.with_inputs(|| packed.unpack().unwrap()).bench_values(|mut list| {
        write(&mut list, black_box(&command));
        (list.invited(CampaignId(1)), list)
    });
}

fn signal() -> ListCommand {
    let (quantity, day, campaign, details) =
        (Some(12), NOON.day(0), Some(CampaignId(1)), ProductDetails::default());
    ListCommand::Restock { event: 0, key: 1, quantity, day, campaign, details }
}
