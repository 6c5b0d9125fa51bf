//! What each actor does with a message: the conversations of the design, without threads.

use super::*;

impl World {
    /// Sends the tasks of an open event to their lists, but for what those have `passed`.
    pub(in crate::domain::tests) fn send_open(
        &mut self,
        event: u64,
        passed: impl Fn(&Self, usize) -> bool,
    ) -> Option<u64> {
        let open = self.directory.open_event(event)?.1.clone();
        let mut count = 0;
        for task in open.tasks {
            let sku = match &task {
                Task::Change { list, .. } | Task::Move { list, .. } => {
                    if passed(self, sku_of(list)) {
                        continue;
                    }
                    sku_of(list)
                }
                Task::Restock(fact) => sku_of(&fact.list),
            };
            count += 1;
            let message = Message::Task { event, person: open.person, how: open.how, task };
            self.send(Node::Directory, Node::List(sku), message);
        }
        if count == 0 {
            self.directory.close(event);
            return None;
        }
        self.waiting.insert(event, count);
        Some(event)
    }

    pub(in crate::domain::tests) fn close_list(&mut self, id: CampaignId) {
        let campaign = self.campaigns.get(id).unwrap();
        let (sku, upto) = (sku_of(&campaign.header.list), campaign.upto);
        self.send(Node::Campaigns, Node::List(sku), Message::Close(id, upto));
    }

    /// One message arrives (in the end: all do).
    pub(in crate::domain::tests) fn deliver(&mut self) {
        let full: Vec<(Node, Node)> =
            self.queues.iter().filter(|(_, queue)| !queue.is_empty()).map(|(way, _)| *way).collect();
        for _ in 0..full.len().min(3) {
            let way = full[self.dice(full.len())];
            let Some(message) = self.queues.get_mut(&way).and_then(VecDeque::pop_front) else { continue };
            match way.1 {
                Node::Directory => self.at_directory(message),
                Node::List(sku) => self.at_list(sku, message),
                Node::Campaigns => self.at_campaigns(message),
                Node::Client | Node::Mail => {}
            }
        }
    }

    pub(in crate::domain::tests) fn at_directory(&mut self, message: Message) {
        match message {
            Message::Answered(event) => {
                let left = self.waiting.get_mut(&event).unwrap();
                *left -= 1;
                if *left == 0 {
                    self.waiting.remove(&event);
                    self.directory.close(event);
                    self.answered(Some(For::Event(event)));
                }
            }
            Message::Fetch(id, row, person) => {
                let found = self.directory.person(person).and_then(|(_, held)| held.email.as_ref());
                let address = found.map_or(usize::MAX, address_of);
                let away = self.directory.away(person, Some(address as u128)).map(|away| match away {
                    Away::Unsubscribed => Skip::Unsubscribed,
                    Away::Suppressed => Skip::Suppressed,
                    Away::Erased => Skip::Erased,
                    Away::NoEmail => Skip::NoEmail,
                });
                let answer = Message::Fetched { id, row, person, away, address };
                self.send(Node::Directory, Node::Campaigns, answer);
            }
            other => panic!("{other:?}"),
        }
    }

    pub(in crate::domain::tests) fn at_list(&mut self, sku: usize, message: Message) {
        let me = Node::List(sku);
        match message {
            Message::Task { event, person, how, task: Task::Change { join, .. } } => {
                let person = person.unwrap();
                let concerned: Vec<CampaignId> = self.lists[sku].concerned(person, false).collect();
                let command =
                    ListCommand::Change { event, person, join, timestamp: None, how, default_opt_in: false };
                self.ask_list(sku, &command);
                if join || concerned.is_empty() {
                    return self.send(me, Node::Directory, Message::Answered(event));
                }
                let note = Message::Note { of: concerned, people: vec![person], answer: For::Event(event) };
                self.send(me, Node::Campaigns, note);
            }
            Message::Task { event, person, task: Task::Move { from, .. }, .. } => {
                self.ask_list(sku, &ListCommand::Move { event, from, to: person.unwrap() });
                self.send(me, Node::Directory, Message::Answered(event));
            }
            Message::Task { event, task: Task::Restock(fact), .. } => {
                self.restock_list(sku, fact.key, For::Event(event));
            }
            Message::Restock { op, key } => self.restock_list(sku, key, For::Op(op)),
            Message::Invite(id, most) => {
                let next = self.lists[sku].invitation(id, most).unwrap();
                self.ask_list(sku, &ListCommand::Invite { campaign: id, most });
                self.send(me, Node::Campaigns, Message::Handed(id, next));
            }
            Message::Close(campaign, upto) => _ = self.ask_list(sku, &ListCommand::Close { campaign, upto }),
            other => panic!("{other:?}"),
        }
    }

    pub(in crate::domain::tests) fn ask_list(&mut self, sku: usize, command: &ListCommand) -> ListDecision {
        let decision = self.lists[sku].decide(command, self.now);
        if let ListDecision::New(event) = &decision {
            self.record(Record::List(sku, event.clone()));
        }
        // A list that nobody talks to goes to rest, and wakes as it was.
        if self.dice(5) == 0 {
            self.lists[sku] = self.lists[sku].pack().unpack().unwrap();
        }
        decision
    }

    pub(in crate::domain::tests) fn restock_list(&mut self, sku: usize, key: u128, answer: For) {
        let day = self.now.day(0);
        let campaign = Some(CampaignId(sku as u128 * 100_000 + day.0 as u128));
        match self.ask_list(sku, &ListCommand::Restock { key, quantity: None, day, campaign }) {
            ListDecision::New(ListEvent::Restocked { campaign: Some(id), upto, added, .. }) => {
                let header = Box::new(header(sku, id));
                let told = Message::Restocked { header, upto, added, answer };
                self.send(Node::List(sku), Node::Campaigns, told);
            }
            _ => self.answer(Node::List(sku), answer),
        }
    }

    pub(in crate::domain::tests) fn answer(&mut self, from: Node, answer: For) {
        match answer {
            For::Event(event) => self.send(from, Node::Directory, Message::Answered(event)),
            For::Op(_) => self.answered(Some(answer)),
        }
    }

    pub(in crate::domain::tests) fn at_campaigns(&mut self, message: Message) {
        match message {
            Message::Restocked { header, upto, added, answer } => {
                match self.campaigns.decide_restock(&header, upto, added) {
                    Some(event) => {
                        self.record(Record::Campaign(event));
                        self.invite(header.id);
                    }
                    None if self.campaigns.get(header.id).is_some_and(|c| c.status.is_closed()) => {
                        // It stays closed, so the list must not think that it runs.
                        let close = Message::Close(header.id, upto);
                        self.send(Node::Campaigns, Node::List(sku_of(&header.list)), close);
                    }
                    None => {}
                }
                self.answer(Node::Campaigns, answer);
            }
            Message::Handed(id, next) => {
                self.asking.remove(&id);
                self.hand_over(id, &next);
            }
            Message::Note { of, people, answer } => {
                for id in of {
                    for person in &people {
                        if let Some(event) = self.campaigns.decide_note(id, *person, Skip::Left) {
                            self.record(Record::Campaign(event));
                        }
                    }
                }
                self.answer(Node::Campaigns, answer);
            }
            Message::NoteAll(person, reason, op) => {
                let all: Vec<CampaignId> =
                    self.campaigns.newest().map(|campaign| campaign.header.id).collect();
                for id in all {
                    if let Some(event) = self.campaigns.decide_note(id, person, reason) {
                        self.record(Record::Campaign(event));
                    }
                }
                self.answered(Some(For::Op(op)));
            }
            Message::Fetched { id, row, person, away, address } => {
                self.fetched(id, row, person, away, address)
            }
            Message::Reply(id, person, what) => {
                let ordinal = self.campaigns.get(id).unwrap().ledger.find(person).unwrap().1.ordinal;
                let settlement = match what {
                    0 => Settlement::Sent,
                    1 => Settlement::Doubt { reply: "lost".into() },
                    2 => Settlement::Failed { reply: "550".into() },
                    _ => {
                        let event = self.campaigns.decide_deferral(id, person, "451".into(), self.now);
                        return self.record(Record::Campaign(event));
                    }
                };
                self.record(Record::Campaign(CampaignEvent::Settled { id, person, ordinal, settlement }));
            }
            other => panic!("{other:?}"),
        }
    }

    /// A stretch of the audience comes in; who left meanwhile is noted.
    pub(in crate::domain::tests) fn hand_over(&mut self, id: CampaignId, next: &Invitation) {
        let now = self.now;
        let campaign = self.campaigns.get_mut(id).unwrap();
        campaign.take_up(next.people.iter().map(|invitee| (invitee.person, invitee.ordinal)), now);
        if next.last && campaign.upto <= next.to {
            campaign.all_invited();
        }
        for gone in next.people.iter().filter(|invitee| !invitee.here) {
            let held = self.campaigns.get(id).unwrap().ledger.find(gone.person);
            let there = held.is_some_and(|(_, row)| row.ordinal == gone.ordinal);
            let note = self.campaigns.decide_note(id, gone.person, Skip::Left).filter(|_| there);
            note.into_iter().for_each(|event| self.record(Record::Campaign(event)));
        }
    }

    pub(in crate::domain::tests) fn fetched(
        &mut self,
        id: CampaignId,
        row: u32,
        person: PersonId,
        away: Option<Skip>,
        address: usize,
    ) {
        *self.busy.entry(id).or_default() -= 1;
        match self.campaigns.decide_letter(id, row, away, address as u64, GUARD, self.now) {
            NextLetter::Start(event) => {
                let sku = (id.0 / 100_000) as usize;
                self.model.starts(address, sku, &format!("{id} {person}"));
                self.record(Record::Campaign(event));
                self.tried.insert((sku, address));
                self.wire.push((self.log.len(), id, person, address));
            }
            NextLetter::Skip(event) => self.record(Record::Campaign(event)),
            NextLetter::Gone => self.campaigns.get_mut(id).unwrap().ledger.put_back(row),
        }
    }

    /// The campaigns look for work: hand over, fetch, close.
    pub(in crate::domain::tests) fn tick(&mut self) {
        let sending: Vec<CampaignId> =
            self.campaigns.open().filter(|c| c.is_sending()).map(|c| c.header.id).collect();
        for id in sending {
            let now = self.now;
            let on_wire = self.wire.iter().filter(|(_, of, ..)| *of == id).count() as u32;
            let campaign = self.campaigns.get_mut(id).unwrap();
            let room = WINDOW.saturating_sub(self.busy.get(&id).copied().unwrap_or(0) + on_wire);
            if campaign.is_done() {
                self.record(Record::Campaign(CampaignEvent::Closed { id }));
                self.close_list(id);
                continue;
            }
            let ask = campaign.ledger.all_taken() && !campaign.handed_over;
            for row in campaign.ledger.take(now, room as usize) {
                *self.busy.entry(id).or_default() += 1;
                let person = self.campaigns.get(id).unwrap().ledger.row(row).unwrap().person;
                self.send(Node::Campaigns, Node::Directory, Message::Fetch(id, row, person));
            }
            if ask {
                self.invite(id);
            }
        }
    }

    /// Asks a list for more, if it is not being asked.
    pub(in crate::domain::tests) fn invite(&mut self, id: CampaignId) {
        let sku = (id.0 / 100_000) as usize;
        if self.asking.insert(id) {
            let most = self.dice(3);
            self.send(Node::Campaigns, Node::List(sku), Message::Invite(id, most));
        }
    }

    /// A mail server answers one letter whose start is durable.
    pub(in crate::domain::tests) fn mail(&mut self, moody: bool) {
        let Some(at) = self.wire.iter().position(|(at, ..)| *at <= self.durable) else { return };
        let (_, id, person, address) = self.wire.remove(at);
        let what = match self.dice(20) {
            _ if !moody => 0,
            0 => 1,
            1 => 2,
            2..6 => 3,
            _ => 0,
        };
        if what == 0 || what == 1 && self.dice(2) == 0 {
            self.model.accepts(id.0, address);
        }
        if what == 2 {
            self.model.refuses(id.0, address);
        }
        self.send(Node::Mail, Node::Campaigns, Message::Reply(id, person, what));
    }
}
