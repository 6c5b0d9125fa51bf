//! Property tests of all records and pages: what was written reads back, and nothing else does.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::sample::select;
use restockd_core::campaign::{CampaignEvent, Campaigns};
use restockd_core::directory::{Directory, DirectoryEvent};
use restockd_core::list::{List, ListEvent};
use restockd_core::{ListId, Millis, PersonId, Retry};

use crate::kind::{FIRST, Kind};
use crate::page::{PageReader, PageWriter, Portion};
use crate::sample::{encoded, entries};
use crate::{Entry, PackedList, RecordError, Stamp, read};

type Pages = BTreeMap<Vec<u8>, Vec<u8>>;

/// A sample in a life of its own: another author's counter, another clock, another person.
fn any_entry() -> impl Strategy<Value = Entry> {
    let stamp = (any::<u64>(), 1_u64..1 << 43).prop_map(|(seq, at)| Stamp { seq, at: Millis(at) });
    (select(entries()), stamp, 1_u32..20, "x[a-z ü„]{0,11}").prop_map(|(entry, stamp, person, list)| {
        match entry {
            Entry::List(_, _, event) => Entry::List(stamp, ListId::stored(&list), of_list(event, person)),
            Entry::Directory(_, event) => Entry::Directory(stamp, of_directory(event, person)),
            Entry::Campaign(_, event) => Entry::Campaign(stamp, of_campaign(event, person)),
        }
    })
}

fn of_list(mut event: ListEvent, number: u32) -> ListEvent {
    if let ListEvent::Joined { person, ordinal, event, .. } = &mut event {
        (*person, *ordinal, *event) = (PersonId(number), number, u64::from(number));
    }
    event
}

fn of_directory(mut event: DirectoryEvent, number: u32) -> DirectoryEvent {
    if let DirectoryEvent::Event(accepted) = &mut event
        && let Some(fact) = &mut accepted.person
    {
        fact.id = PersonId(number);
    }
    event
}

fn of_campaign(mut event: CampaignEvent, number: u32) -> CampaignEvent {
    if let CampaignEvent::Started { person, .. } | CampaignEvent::Settled { person, .. } = &mut event {
        *person = PersonId(number);
    }
    event
}

/// Machines that lived through records in any order: `apply` is total.
struct Machines {
    directory: Directory,
    campaigns: Campaigns,
    lists: BTreeMap<ListId, List>,
}

impl Machines {
    fn new() -> Self {
        let (directory, campaigns) = (Directory::new(1, 1000), Campaigns::new(None, Retry::default()));
        Self { directory, campaigns, lists: BTreeMap::new() }
    }

    fn apply(&mut self, entry: &Entry) {
        match entry {
            Entry::List(stamp, id, event) => {
                // A list gives its places in order; records from nowhere would not.
                let list = self.lists.entry(id.clone()).or_default();
                let event = match event {
                    ListEvent::Joined { event, person, changed, source, .. } => ListEvent::Joined {
                        event: *event,
                        person: *person,
                        ordinal: list.last_ordinal() + 1,
                        changed: *changed,
                        source: *source,
                    },
                    other => other.clone(),
                };
                list.apply(&event, stamp.at);
            }
            Entry::Directory(stamp, event) => self.directory.apply(event, stamp.at),
            // A campaign is made once; records from nowhere would make it again.
            Entry::Campaign(
                _,
                CampaignEvent::Scheduled(header) | CampaignEvent::Opened { header: Some(header), .. },
            ) if self.campaigns.get(header.id).is_some() => {}
            Entry::Campaign(stamp, event) => self.campaigns.apply(event, stamp.at),
        }
    }

    fn pages(&self) -> Pages {
        let mut pages = Pages::new();
        let mut writer = PageWriter::new(|key: &[u8], value: &[u8]| {
            pages.insert(key.to_vec(), value.to_vec());
            Ok::<(), ()>(())
        });
        let lists = self.lists.iter().map(|(id, list)| (id.clone(), PackedList::of(list))).collect();
        for portion in [
            Portion::Directory(self.directory.image()),
            Portion::Campaigns(self.campaigns.image()),
            Portion::Resting(lists),
        ] {
            writer.write(portion).unwrap();
        }
        writer.finish().unwrap();
        pages
    }

    fn from_pages(pages: &Pages) -> Result<Self, crate::page::PageError> {
        let (mut machines, mut packed) = (Self::new(), Vec::new());
        let mut reader = PageReader::new(&mut machines.directory, &mut machines.campaigns, &mut packed);
        for (key, value) in pages {
            reader.read(key, value)?;
        }
        reader.finish()?;
        for (id, list) in packed {
            machines.lists.insert(id, list.unpack()?);
        }
        Ok(machines)
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_record_reads_back_as_it_was_written(entry in any_entry()) {
        let record = encoded(&entry);
        prop_assert_eq!(read(record.kind, record.version, &record.bytes).unwrap(), entry);
    }

    #[test]
    fn pages_of_machines_that_lived_read_back_as_the_same_machines(lived in prop::collection::vec(any_entry(), 0..60)) {
        let mut machines = Machines::new();
        lived.iter().for_each(|entry| machines.apply(entry));
        let pages = machines.pages();
        let again = Machines::from_pages(&pages).unwrap();
        prop_assert_eq!(again.pages(), pages);
        prop_assert_eq!(
            again.directory.image().pages().collect::<Vec<_>>(),
            machines.directory.image().pages().collect::<Vec<_>>()
        );
        prop_assert_eq!(
            again.campaigns.image().pages().collect::<Vec<_>>(),
            machines.campaigns.image().pages().collect::<Vec<_>>()
        );
        for (id, list) in &machines.lists {
            let (packed, awake) = (PackedList::of(list), &again.lists[id]);
            prop_assert_eq!(packed.summary().unwrap(), list.summary());
            prop_assert_eq!(awake.summary(), list.summary());
            prop_assert_eq!((awake.details(), awake.heard()), (list.details(), list.heard()));
            prop_assert!(awake.kept().eq(list.kept()) && awake.signals().eq(list.signals()));
            prop_assert_eq!(awake.invites(), list.invites());
        }
    }
}

/// Machines that lived through every sample.
fn lived() -> Machines {
    let mut machines = Machines::new();
    entries().iter().for_each(|entry| machines.apply(entry));
    machines
}

#[test]
fn a_page_of_a_newer_build_is_refused_by_both_versions_and_never_called_damage() {
    let pages = lived().pages();
    for (key, page) in &pages {
        let mut newer = pages.clone();
        newer.insert(key.clone(), [&[page[0], page[1] + 1], &page[2..]].concat());
        let said = Machines::from_pages(&newer).err().unwrap().to_string();
        assert!(said.contains("written by a newer restockd") && said.contains("version 3"), "{said}");
        newer.insert(key.clone(), [&[0xf0, FIRST], &page[2..]].concat());
        let said = Machines::from_pages(&newer).err().unwrap().to_string();
        assert!(said.contains("written by a newer restockd") && said.contains("no such kind"), "{said}");
    }
    let kinds: Vec<Kind> = pages.values().filter_map(|page| Kind::of(page[0])).collect();
    assert_eq!(kinds.len(), pages.len());
}

#[test]
fn a_page_that_is_cut_or_has_more_than_its_own_is_refused() {
    let pages = lived().pages();
    for (key, page) in pages.iter().filter(|(_, page)| page.len() > 3) {
        for odd in [&page[..page.len() - 1], &[page.as_slice(), &[0]].concat(), &page[..1], &[]] {
            let mut other = pages.clone();
            other.insert(key.clone(), odd.to_vec());
            assert!(Machines::from_pages(&other).is_err(), "{:?} of {} bytes", key, odd.len());
        }
    }
}

/// A list with one member, by its bytes.
fn packed() -> Vec<u8> {
    let mut list = List::default();
    let joined = entries().into_iter().find_map(|entry| match entry {
        Entry::List(_, _, event @ ListEvent::Joined { .. }) => Some(event),
        _ => None,
    });
    list.apply(&joined.unwrap(), Millis(5));
    PackedList::of(&list).as_bytes().to_vec()
}

#[test]
fn bytes_that_are_no_packed_list_are_refused() {
    let bytes = packed();
    assert!(PackedList::from_bytes(&bytes).unpack().is_ok());
    assert!(PackedList::from_bytes(&[bytes.as_slice(), &[0]].concat()).unpack().is_err());
    for cut in 0..bytes.len() {
        assert!(PackedList::from_bytes(&bytes[..cut]).unpack().is_err(), "{cut}");
    }
}

#[test]
fn a_packed_list_that_lies_about_its_rows_is_refused() {
    let bytes = packed();
    // Counter, then the event it heard last (three bytes), then who is on it and who left.
    for (at, why) in [(4, "counts"), (5, "counts")] {
        let mut other = bytes.clone();
        other[at] += 1;
        let refused = PackedList::from_bytes(&other).unpack().unwrap_err();
        assert!(
            matches!(refused, RecordError::Malformed { .. }) && refused.to_string().contains(why),
            "{refused}"
        );
    }
    let mut list = PackedList::from_bytes(&bytes).unpack().unwrap();
    let left = ListEvent::Left {
        event: 400,
        person: PersonId(7),
        changed: Millis(1_767_225_599_999),
        source: restockd_core::list::ChangeSource::Event,
    };
    list.apply(&left, Millis(6));
    let mut other = PackedList::of(&list).as_bytes().to_vec();
    // Behind the two counts: that there is a first leave, and its day (a marker of its width, then the low byte).
    other[8] += 1;
    let refused = PackedList::from_bytes(&other).unpack().unwrap_err();
    assert!(refused.to_string().contains("first leave"), "{refused}");
}
