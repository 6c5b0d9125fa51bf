//! Snapshot pages of a small shop with some history, made by the machines themselves.

use std::collections::BTreeMap;

use restockd_core::campaign::Campaigns;
use restockd_core::directory::{Accepted, Directory, DirectoryEvent, PersonFact};
use restockd_core::list::{ChangeSource, List, ListEvent};
use restockd_core::{Email, ListId, PersonId, Retry};
use restockd_records::page::{PageWriter, Portion};
use restockd_records::{Entry, PackedList, sample};

use crate::NOON;

fn press(number: u32, list: &ListId) -> DirectoryEvent {
    let person = PersonFact {
        id: PersonId(number),
        email: Email::parse(&format!("p{number}@shop.example")),
        user_id: number.is_multiple_of(3).then(|| format!("u-{number}")),
        anonymous_id: number.is_multiple_of(5).then(|| format!("a-{number}")),
        props: vec![("name".into(), format!("\"Person {number}\""))],
    };
    DirectoryEvent::Event(Accepted {
        name: "product.waitlisted".into(),
        key: Some(u128::from(number) << 90 | 7),
        source: ChangeSource::Event,
        person: Some(person),
        bag: vec![(list.clone(), true)],
        timestamp: None,
        product: Some((list.clone(), "Chair".into())),
        restock: None,
        attested: None,
    })
}

/// The pages, by key.
pub fn pages() -> BTreeMap<Vec<u8>, Vec<u8>> {
    let chair = ListId::parse("restock-chair").unwrap();
    let (mut directory, mut campaigns) = (Directory::new(3, 1000), Campaigns::new(None, Retry::default()));
    let mut lists = BTreeMap::from([(chair.clone(), List::default())]);
    for number in 1..=8 {
        directory.apply(&press(number, &chair), NOON);
        let (event, person) = (u64::from(number), PersonId(number));
        let joined =
            ListEvent::Joined { event, person, ordinal: number, changed: NOON, source: ChangeSource::Event };
        lists.get_mut(&chair).unwrap().apply(&joined, NOON);
    }
    for entry in sample::entries() {
        match entry {
            Entry::List(stamp, id, event) => lists.entry(id).or_default().apply(&event, stamp.at),
            Entry::Directory(stamp, event) => directory.apply(&event, stamp.at),
            Entry::Campaign(stamp, event) => campaigns.apply(&event, stamp.at),
        }
    }
    let mut pages = BTreeMap::new();
    let mut writer = PageWriter::new(|key: &[u8], value: &[u8]| {
        pages.insert(key.to_vec(), value.to_vec());
        Ok::<(), ()>(())
    });
    writer.write(Portion::Directory(directory.image())).unwrap();
    writer.write(Portion::Campaigns(campaigns.image())).unwrap();
    for (id, list) in lists {
        writer.write(Portion::Resting(vec![(id, PackedList::of(&list))])).unwrap();
    }
    writer.finish().unwrap();
    pages
}
