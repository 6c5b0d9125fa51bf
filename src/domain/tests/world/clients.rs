//! What clients do, and when they are told that it is done.

use super::*;

impl World {
    /// One batch reaches the disk; those who waited for it are told.
    pub(in crate::domain::tests) fn sync(&mut self) {
        self.durable = self.log.len();
        let durable = self.durable;
        let told: Vec<u64> = self
            .ops
            .iter()
            .filter(|(_, op)| op.durable_at.is_some_and(|at| at <= durable))
            .map(|(op, _)| *op)
            .collect();
        for op in told.into_iter().filter_map(|op| self.ops.remove(&op)) {
            match op.wish {
                Wish::Change { address, sku, known } => self.model.told(address, sku, known),
                Wish::Block { address, on } => self.model.told_block(address, on),
                Wish::Erase(address) => (0..SKUS).for_each(|sku| self.model.told(address, sku, Known::Never)),
                Wish::Restock { sku, key } => self.model.told_restock(sku, key),
                Wish::Muddle => {}
            }
        }
    }

    pub(in crate::domain::tests) fn op(&mut self, wish: Wish, events: BTreeSet<u64>, others: u32) -> u64 {
        self.next_op += 1;
        self.ops.insert(self.next_op, Op { wish, events, others, durable_at: None });
        self.answered(None);
        self.next_op
    }

    /// Somebody answered; operations that wait for nobody else wait for the disk.
    pub(in crate::domain::tests) fn answered(&mut self, answer: Option<For>) {
        let at = self.log.len();
        for (number, op) in &mut self.ops {
            match answer {
                Some(For::Event(event)) => _ = op.events.remove(&event),
                Some(For::Op(of)) if of == *number => op.others -= 1,
                _ => {}
            }
            if op.events.is_empty() && op.others == 0 && op.durable_at.is_none() {
                op.durable_at = Some(at);
            }
        }
    }

    /// True when no operation of that address is under way: a client waits for each answer.
    pub(in crate::domain::tests) fn idle(&self, address: usize) -> bool {
        self.ops.values().all(|op| match op.wish {
            Wish::Change { address: a, .. } | Wish::Block { address: a, .. } | Wish::Erase(a) => a != address,
            Wish::Muddle => false,
            Wish::Restock { .. } => true,
        })
    }

    pub(in crate::domain::tests) fn ingest(&mut self, ingest: &Ingest) -> BTreeSet<u64> {
        let decision = self.directory.decide(ingest, &Catalog::default(), self.now).unwrap();
        let mut events = BTreeSet::new();
        for event in decision.events {
            self.record(Record::Directory(event));
            events.extend(self.send_open(self.directory.seq(), |_, _| false));
        }
        events
    }

    /// A client does something.
    pub(in crate::domain::tests) fn client(&mut self) {
        let (address, sku) = (self.dice(CLIENTS), self.dice(SKUS));
        let what = self.dice(40);
        if what < 30 && !self.idle(address) {
            return;
        }
        let who = WhoHashed { email: Some((email(address), address as u128)), ..WhoHashed::default() };
        let plain = Ingest {
            name: "e".into(),
            who,
            props: Vec::new(),
            bag: Vec::new(),
            key: None,
            how: How::Event,
            timestamp: None,
            product: None,
            restock: None,
        };
        match what {
            0..24 => {
                let join = what < 18;
                self.model.asks(address, sku, join);
                let key = (self.dice(3) == 0).then(|| self.dice(50) as u128 + 1);
                // A key stands for one press of one client.
                let key = key.map(|key| key << 64 | (address * 100 + sku * 10 + usize::from(join)) as u128);
                let bag = vec![(list_id(sku).as_str().to_owned(), join)];
                let events = self.ingest(&Ingest { bag, key, ..plain });
                // Who takes no mail is told that the press changed nothing.
                let person = self.directory.by_email(&email(address));
                let away = person.and_then(|person| self.directory.away(person, Some(address as u128)));
                let known = match (join, away) {
                    (true, None) => Known::Yes,
                    (true, Some(_)) => Known::Unsure,
                    (false, _) => Known::No,
                };
                self.op(Wish::Change { address, sku, known }, events, 0);
            }
            24..28 => {
                let on = self.dice(2) == 0;
                let Some(person) = self.directory.by_email(&email(address)) else { return };
                self.model.asks_block(address);
                let event = if self.dice(2) == 0 {
                    self.directory.decide_ask(&Ask::Unsubscribe(person, Some(address as u128), on))
                } else {
                    let block = on.then_some(crate::domain::directory::Block::Manual);
                    Some(DirectoryEvent::Suppression { address: address as u128, block })
                };
                let Some(event) = event else { return };
                self.record(Record::Directory(event));
                let away = self.directory.away(person, Some(address as u128)).is_some();
                let op = self.op(Wish::Block { address, on: away }, BTreeSet::new(), 1);
                self.send(Node::Directory, Node::Campaigns, Message::NoteAll(person, Skip::Unsubscribed, op));
                if !away {
                    // The note says why; it must not say it of somebody who takes mail again.
                    self.queues.get_mut(&(Node::Directory, Node::Campaigns)).unwrap().pop_back();
                    self.answered(Some(For::Op(op)));
                }
            }
            28 => {
                let Some(person) = self.directory.by_email(&email(address)) else { return };
                let Some(event) = self.directory.decide_ask(&Ask::Erase(person, Some(address as u128)))
                else {
                    return;
                };
                (0..SKUS).for_each(|sku| self.model.asks(address, sku, false));
                self.record(Record::Directory(event));
                let events: BTreeSet<u64> =
                    self.send_open(self.directory.seq(), |_, _| false).into_iter().collect();
                let op = self.op(Wish::Erase(address), events, 1);
                self.send(Node::Directory, Node::Campaigns, Message::NoteAll(person, Skip::Erased, op));
            }
            29 => self.unite(address, &plain),
            _ => self.restock(sku, &plain),
        }
    }

    /// Two addresses turn out to be one person (before the first campaign only).
    pub(in crate::domain::tests) fn unite(&mut self, address: usize, plain: &Ingest) {
        let other = self.dice(CLIENTS);
        if other == address || !self.campaigns.is_empty() || !self.idle(other) {
            return;
        }
        let names = |email: Option<usize>| WhoHashed {
            email: email.map(|n| (self::email(n), n as u128)),
            user_id: Some(format!("u{address}")),
            anonymous_id: None,
        };
        [address, other].into_iter().for_each(|who| self.model.muddle(who, SKUS));
        let mut events = self.ingest(&Ingest { who: names(Some(address)), ..plain.clone() });
        events.extend(self.ingest(&Ingest { who: names(Some(other)), ..plain.clone() }));
        self.op(Wish::Muddle, events, 0);
    }

    pub(in crate::domain::tests) fn restock(&mut self, sku: usize, plain: &Ingest) {
        let key = self.dice(60) as u128 + 1;
        self.model.restocks(sku, key);
        if self.dice(2) == 0 {
            let op = self.op(Wish::Restock { sku, key }, BTreeSet::new(), 1);
            self.send(Node::Client, Node::List(sku), Message::Restock { op, key });
        } else {
            let fact = RestockFact { list: list_id(sku), key, product: None, quantity: None };
            let events =
                self.ingest(&Ingest { who: WhoHashed::default(), restock: Some(fact), ..plain.clone() });
            self.op(Wish::Restock { sku, key }, events, 0);
        }
    }

    pub(in crate::domain::tests) fn verb(&mut self) {
        let all: Vec<CampaignId> = self.campaigns.newest().map(|campaign| campaign.header.id).collect();
        if all.is_empty() {
            return;
        }
        let id = all[self.dice(all.len())];
        let verb =
            [Verb::Pause, Verb::Resume, Verb::Pause, Verb::Resume, Verb::Resume, Verb::Cancel][self.dice(6)];
        self.decide_verb(id, verb);
    }

    pub(in crate::domain::tests) fn decide_verb(&mut self, id: CampaignId, verb: Verb) {
        if let Ok(Some(event)) = self.campaigns.decide_verb(id, verb) {
            self.record(Record::Campaign(event));
            if verb == Verb::Cancel {
                self.canceled.insert(id.0);
                self.close_list(id);
            }
        }
    }
}
