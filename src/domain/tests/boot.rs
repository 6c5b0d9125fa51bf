//! Coming back: a snapshot, the records after it, and what each machine must take up again.

use super::world::{Message, Node, Record, SKUS, World, header};
use crate::codec;
use crate::domain::campaign::{CampaignPage, Campaigns, Status};
use crate::domain::directory::{Directory, DirectoryPage};
use crate::domain::list::{List, PackedList};
use crate::domain::{CampaignId, Retry};

/// All machines held still, as bytes, and how much of the log they hold.
pub struct Snapshot {
    at: usize,
    lists: Vec<Vec<u8>>,
    directory: Vec<Vec<u8>>,
    campaigns: Vec<Vec<u8>>,
}

impl World {
    /// Takes a snapshot, if all that it holds is durable.
    pub fn snap(&mut self) {
        if self.durable == self.log.len() {
            self.snapshot = Some(Snapshot {
                at: self.log.len(),
                lists: self.lists.iter().map(|list| list.image().pack().as_bytes().to_vec()).collect(),
                directory: self.directory.image().pages().map(|page| codec::encode(&page)).collect(),
                campaigns: self.campaigns.image().pages().map(|page| codec::encode(&page)).collect(),
            });
        }
    }

    /// Rebuilds every machine from the disk and takes up what was under way.
    pub fn reboot(&mut self) {
        self.rebuild();
        for event in self.campaigns.decide_doubt(self.now) {
            self.record(Record::Campaign(event));
        }
        for sku in 0..SKUS {
            self.tell_claims(sku);
        }
        self.take_up_again();
        let open: Vec<u64> = self.directory.open().map(|(event, _)| event).collect();
        for event in open {
            self.send_open(event, |world, sku| world.lists[sku].passed(event));
        }
    }

    /// The newest snapshot and the records after it; both must lead where all records lead.
    fn rebuild(&mut self) {
        let all = self.replayed(None);
        let (directory, lists, campaigns) = self.replayed(self.snapshot.as_ref());
        for (one, other) in lists.iter().zip(&all.1) {
            assert_eq!(one.pack(), other.pack(), "a list differs after a snapshot");
        }
        let people = |directory: &Directory| -> Vec<Vec<u8>> {
            let image = directory.image();
            let pages = image.pages().filter(|page| !matches!(page, DirectoryPage::Open(_)));
            pages.map(|page| codec::encode(&page)).collect()
        };
        assert_eq!(people(&directory), people(&all.0), "the directory differs after a snapshot");
        // Not what was taken up since: a list's hand-over is the list's record, and is asked again.
        let heads = |campaigns: &Campaigns| -> Vec<_> {
            campaigns.newest().map(|c| (c.header.id, c.status, c.total(), c.upto)).collect()
        };
        assert_eq!(heads(&campaigns), heads(&all.2), "a campaign differs after a snapshot");
        (self.directory, self.lists, self.campaigns) = (directory, lists, campaigns);
    }

    fn replayed(&self, snapshot: Option<&Snapshot>) -> (Directory, Vec<List>, Campaigns) {
        let mut directory = Directory::new(3, 1000);
        let mut lists = vec![List::default(); SKUS];
        let mut campaigns = Campaigns::new(None, Retry::default());
        if let Some(snapshot) = snapshot {
            for page in &snapshot.directory {
                directory.restore(codec::decode(page).unwrap()).unwrap();
            }
            directory.restored();
            lists =
                snapshot.lists.iter().map(|bytes| PackedList::from_bytes(bytes).unpack().unwrap()).collect();
            for page in &snapshot.campaigns {
                campaigns.restore(codec::decode::<CampaignPage>(page).unwrap()).unwrap();
            }
            campaigns.restored();
        }
        for (record, at) in &self.log[snapshot.map_or(0, |snapshot| snapshot.at)..] {
            match record {
                Record::List(sku, event) => lists[*sku].apply(event, *at),
                Record::Directory(event) => directory.apply(event, *at),
                Record::Campaign(event) => campaigns.apply(event, *at),
            }
        }
        (directory, lists, campaigns)
    }

    /// A list tells again what the campaigns may not have heard of.
    fn tell_claims(&mut self, sku: usize) {
        let known = |id: CampaignId| self.campaigns.get(id).map_or(0, |campaign| campaign.upto);
        for (invite, beyond) in self.lists[sku].claims(known) {
            let id = invite.campaign;
            let held = self.campaigns.get(id).map(|campaign| (campaign.upto, campaign.status));
            if held.is_none_or(|(upto, _)| upto < invite.upto)
                && let Some(event) = self.campaigns.decide_restock(&header(sku, id), invite.upto, beyond)
            {
                self.record(Record::Campaign(event));
            } else if held.is_some_and(|(_, status)| status.is_closed()) {
                self.send(Node::Campaigns, Node::List(sku), Message::Close(id, invite.upto));
            }
        }
    }

    /// The campaigns take up again whom their lists have handed over, and note who has left.
    fn take_up_again(&mut self) {
        let all: Vec<(CampaignId, Status)> =
            self.campaigns.newest().map(|c| (c.header.id, c.status)).collect();
        for (id, status) in all {
            let invited = self.lists[(id.0 / 100_000) as usize].invited(id);
            match invited {
                Some(invited) => {
                    self.hand_over(id, &invited);
                    if !status.is_closed() {
                        self.invite(id);
                    }
                }
                None if !status.is_closed() => panic!("a list has let go of {id:?}, which is {status:?}"),
                None => {}
            }
        }
    }
}
