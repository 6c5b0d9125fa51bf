//! A world around the scheduler: what is asked is answered when a test says so, and each start is held against what the
//! world itself knows: who left, which connection answers, what was set.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use super::super::start::Admission;
use super::super::*;
use crate::campaign::{CampaignCommand, CampaignStatus, Header, Settlement, SkipReason};
use crate::list::Invitee;
use crate::outcome::{DeliveryOutcome, DeliveryResult, Diagnostic, FaultSource, SmtpPhase};
use crate::pace::{Pace, Rate, RateDecision};
use crate::retry::Retry;
use crate::shaping::{Limits, OTHERS, Plan, Shaping};
use crate::time::Day;
use crate::{Email, ListId, PersonId};

pub const START: Millis = Millis(19_700 * 86_400_000);
pub const WORKERS: usize = 4;
/// Letters in flight at google, as set.
pub const GOOGLE: usize = 2;
/// Letters a day at yahoo, as set.
pub const YAHOO: u32 = 5;

/// Something on its way to the scheduler.
type Channel = VecDeque<Input>;

/// A campaign's audience at its list.
#[derive(Debug, Default, Clone)]
pub struct Claim {
    pub upto: u32,
    pub invited: u32,
}

/// A letter in flight.
#[derive(Debug, Clone)]
pub struct Flying {
    pub campaign: CampaignId,
    pub person: PersonId,
}

pub struct World {
    pub scheduler: Scheduler,
    pub at: Millis,
    pub room: bool,
    /// Members of each list by place: place n is person n's.
    pub members: BTreeMap<ListId, u32>,
    pub left: BTreeSet<(ListId, u32)>,
    pub claims: BTreeMap<CampaignId, (ListId, Claim)>,
    /// Answers and notes of each list, in the order in which it spoke.
    pub channels: BTreeMap<ListId, Channel>,
    /// What the scheduler has asked and nobody has answered yet.
    pub asked: VecDeque<Effect>,
    pub connecting: Vec<usize>,
    /// When each worker's connection last answered, as the world knows.
    pub alive: BTreeMap<usize, Millis>,
    pub flying: BTreeMap<usize, Flying>,
    pub alarm: Option<Millis>,
    pub paused: BTreeSet<CampaignId>,
    pub records: Vec<(CampaignEvent, Millis)>,
    pub starts: Vec<(CampaignId, u32)>,
    pub news: Vec<Notice>,
    pub stopped: bool,
    stopping: bool,
    pace: (Option<Rate>, Pace),
    yahoo: BTreeMap<u64, u32>,
    steps: u64,
    /// When a row was last asked for, by steps.
    fetched: BTreeMap<(CampaignId, u32), u64>,
    fetching: BTreeSet<(CampaignId, u32)>,
    /// When there was last news of a person on a list, by steps.
    noted: BTreeMap<(ListId, u32), u64>,
    /// Rows that may come out of order: news of them, a campaign opened again, a restart.
    disturbed: BTreeSet<(CampaignId, u32)>,
    /// Rows that were sent back and keep their place.
    kept: BTreeSet<(CampaignId, u32)>,
    pub kept_max: usize,
    /// The verb that is being asked for.
    command: Option<(CampaignId, CampaignCommand)>,
}

pub fn list(n: u32) -> ListId {
    ListId::parse(&format!("restock-s{n}")).unwrap()
}

pub fn id(n: u32) -> CampaignId {
    CampaignId(u128::from(n) + 1)
}

pub fn header(n: u32) -> Header {
    Header::sample(id(n), list(n), Day(1))
}

/// Where a person's mail goes: a provider with connections set, one with a ceiling, a domain shared, one of their own.
pub fn email(person: u32) -> (Email, Option<u16>) {
    let (domain, provider) = match person % 4 {
        0 => ("gmail.com".to_owned(), Some(0)),
        1 => ("yahoo.com".to_owned(), Some(2)),
        2 => ("shop.example".to_owned(), None),
        _ => (format!("d{person}.example"), None),
    };
    (Email::parse(&format!("p{person}@{domain}")).unwrap(), provider)
}

pub fn outcome(end: DeliveryResult, phase: SmtpPhase) -> DeliveryOutcome {
    let said = match end {
        DeliveryResult::Sent => Diagnostic::of_server(250, "2.0.0 taken"),
        DeliveryResult::Throttled => Diagnostic::of_server(421, "4.7.0 slower"),
        DeliveryResult::Deferred => Diagnostic::of_server(451, "4.3.0 later"),
        DeliveryResult::Failed => Diagnostic::of_server(550, "5.0.0 no"),
        DeliveryResult::Unknown => Diagnostic::own("lost", FaultSource::Letter),
    };
    DeliveryOutcome { end, phase, diagnostic: said }
}

pub fn plan() -> Plan {
    let limits = |connections, per_day| Limits { connections, per_day, ..Limits::default() };
    let named = BTreeMap::from([(0, limits(Some(GOOGLE as u32), None)), (2, limits(Some(4), Some(YAHOO)))]);
    Plan { named, ..Plan::default() }
}

impl World {
    pub fn new(rate: Option<Rate>) -> Self {
        let campaigns = Campaigns::new(rate, Retry { base_ms: 60_000, max_age_ms: 3 * 86_400_000 });
        Self {
            scheduler: Scheduler::new(campaigns.shaped(Arc::new(plan())), setup()),
            at: START,
            room: true,
            members: BTreeMap::new(),
            left: BTreeSet::new(),
            claims: BTreeMap::new(),
            channels: BTreeMap::new(),
            asked: VecDeque::new(),
            connecting: Vec::new(),
            alive: BTreeMap::new(),
            flying: BTreeMap::new(),
            alarm: None,
            paused: BTreeSet::new(),
            records: Vec::new(),
            starts: Vec::new(),
            news: Vec::new(),
            stopped: false,
            stopping: false,
            pace: (rate, Pace::default()),
            yahoo: BTreeMap::new(),
            steps: 0,
            fetched: BTreeMap::new(),
            fetching: BTreeSet::new(),
            noted: BTreeMap::new(),
            disturbed: BTreeSet::new(),
            kept: BTreeSet::new(),
            kept_max: 0,
            command: None,
        }
    }

    pub fn now(&self) -> Tick {
        Tick { at: self.at, room: self.room }
    }

    /// One input; what follows from it is looked at.
    pub fn input(&mut self, input: Input) -> Vec<Effect> {
        self.steps += 1;
        self.before(&input);
        let mut effects = Vec::new();
        self.scheduler.step(input, self.now(), &mut effects);
        for effect in &effects {
            self.follow(effect);
        }
        self.adds_up();
        effects
    }

    fn before(&mut self, input: &Input) {
        match input {
            Input::Fetched { campaign, people } => {
                people.iter().for_each(|one| _ = self.fetching.remove(&(*campaign, one.row)));
            }
            Input::RecipientExcluded { list, person, .. } => {
                let lists = self.members.keys().filter(|of| list.as_ref().is_none_or(|list| list == *of));
                for list in lists.cloned().collect::<Vec<_>>() {
                    self.noted.insert((list, person.0), self.steps);
                }
                self.disturb(Some(*person));
            }
            Input::MailboxChanged(person) => {
                for list in self.members.keys().cloned().collect::<Vec<_>>() {
                    self.noted.insert((list, person.0), self.steps);
                }
                self.disturb(Some(*person));
            }
            Input::Restocked { .. } | Input::Command(..) => self.disturb(None),
            Input::Stop => self.stopping = true,
            _ => {}
        }
    }

    /// Rows that are open now may come out of order from here on: one person's, or all.
    fn disturb(&mut self, person: Option<PersonId>) {
        for campaign in self.scheduler.campaigns().newest() {
            let rows = (0u32..).zip(campaign.ledger.rows());
            let theirs = rows.filter(|(_, row)| person.is_none_or(|person| row.person == person));
            self.disturbed.extend(theirs.map(|(at, _)| (campaign.header.id, at)));
        }
        let disturbed = &self.disturbed;
        self.kept.retain(|row| !disturbed.contains(row));
    }

    fn follow(&mut self, effect: &Effect) {
        match effect {
            Effect::Record { event, .. } => self.recorded(event),
            Effect::Start { event, letter, .. } => {
                self.recorded(event);
                self.started(event, letter);
            }
            Effect::Fetch { campaign, rows, .. } => {
                for (row, _) in rows {
                    assert!(self.fetching.insert((*campaign, *row)), "row {row} is being fetched twice");
                    self.fetched.insert((*campaign, *row), self.steps);
                }
                self.asked.push_back(effect.clone());
            }
            Effect::Connect { worker } => {
                assert!(!self.flying.contains_key(worker) && !self.connecting.contains(worker));
                self.connecting.push(*worker);
            }
            Effect::Alarm(then) => {
                assert!(*then > self.at, "an alarm for a time that has passed");
                self.alarm = Some(*then);
            }
            Effect::Say(news) => self.news.push(news.clone()),
            Effect::Stopped => {
                assert!(self.flying.is_empty() && !self.stopped);
                self.stopped = true;
            }
            Effect::Answer(SchedulerReply::Command(Ok(()))) => self.verb_taken(),
            Effect::Answer(_) | Effect::Fence | Effect::Close { .. } | Effect::Leave { .. } => {}
            Effect::Bounced { .. } | Effect::KeyTaken(_) => {}
            _ => self.asked.push_back(effect.clone()),
        }
    }

    fn recorded(&mut self, event: &CampaignEvent) {
        self.records.push((event.clone(), self.at));
        match event {
            CampaignEvent::Unstarted { id, person, provider, until, started, .. } => {
                self.pace.1.give_back(self.pace.0);
                if provider.as_deref() == Some("yahoo") {
                    *self.yahoo.entry(started.0 / 86_400_000).or_default() -= 1;
                }
                if *until <= self.at {
                    self.keep(*id, *person);
                }
            }
            CampaignEvent::Deferred { id, person, diagnostic, .. } if diagnostic.code == Some(421) => {
                self.keep(*id, *person);
            }
            CampaignEvent::Settled { id, person, .. } => {
                let row = self.row_of(*id, *person);
                self.kept.remove(&(*id, row));
            }
            _ => {}
        }
    }

    fn keep(&mut self, id: CampaignId, person: PersonId) {
        let row = self.row_of(id, person);
        let ledger = &self.scheduler.campaigns().get(id).unwrap().ledger;
        let held = ledger.row(row).unwrap();
        if held.state == LetterState::Deferred && held.attempts < 6 && !self.disturbed.contains(&(id, row)) {
            self.kept.insert((id, row));
            self.kept_max = self.kept_max.max(self.kept.len());
        }
    }

    fn row_of(&self, id: CampaignId, person: PersonId) -> u32 {
        self.scheduler.campaigns().get(id).unwrap().ledger.find(person).unwrap().0
    }

    /// A start, against all that the world knows.
    fn started(&mut self, event: &CampaignEvent, letter: &Start) {
        let CampaignEvent::Started { person, .. } = event else { panic!("{event:?}") };
        let (campaign, row, worker) = (letter.campaign, letter.recipient.row, letter.worker);
        let of = list(campaign.0 as u32 - 1);
        assert!(!self.stopping, "a start while the engine stops");
        assert!(self.room, "a start on a full disk");
        assert!(!self.paused.contains(&campaign), "a start of a paused campaign");
        assert!(!self.flying.contains_key(&worker), "two letters on one connection");
        let alive = self.alive.get(&worker).copied();
        assert!(alive.is_some_and(|alive| self.at.since(alive) <= 1000), "a start on a dead connection");
        let asked = self.fetched[&(campaign, row)];
        let news = self.noted.get(&(of.clone(), person.0)).copied().unwrap_or(0);
        assert!(asked >= news, "what was fetched before the news of {} was used", person.0);
        assert_eq!(letter.recipient.undeliverable, None, "a start of somebody who is away");
        assert_eq!(self.pace.1.check(self.pace.0, self.at), RateDecision::Now, "a start past the pace");
        self.pace.1.take(self.pace.0, self.at);
        let provider = person.0 % 4;
        if provider == 0 {
            let google = self.flying.values().filter(|letter| letter.person.0 % 4 == 0).count();
            assert!(google < GOOGLE, "a start past the connections of a provider");
        }
        if provider == 1 {
            let today = self.yahoo.entry(self.at.0 / 86_400_000).or_default();
            *today += 1;
            assert!(*today <= YAHOO, "a start past a day's ceiling");
        }
        self.in_order(campaign, row, provider);
        self.kept.remove(&(campaign, row));
        self.flying.insert(worker, Flying { campaign, person: *person });
        self.starts.push((campaign, row));
    }

    /// No earlier letter of the campaign to the same provider is still waiting.
    fn in_order(&self, campaign: CampaignId, row: u32, provider: u32) {
        let ledger = &self.scheduler.campaigns().get(campaign).unwrap().ledger;
        for (at, other) in (0..row).zip(ledger.rows()) {
            let same = other.person.0 % 4 == provider && (provider != 3 || other.person.0 == row + 1);
            let new = other.state == LetterState::Pending && other.attempts == 0;
            let waits =
                new && !self.disturbed.contains(&(campaign, at)) || self.kept.contains(&(campaign, at));
            let left = self.left.contains(&(list(campaign.0 as u32 - 1), other.person.0));
            assert!(!(same && waits && !left), "row {row} overtook row {at} of the same provider");
        }
    }

    /// Every letter is counted once, and what is started is in flight.
    fn adds_up(&self) {
        for campaign in self.scheduler.campaigns().newest() {
            let counts = campaign.ledger.counts();
            let flying = self.flying.values().filter(|letter| letter.campaign == campaign.header.id).count();
            assert_eq!(counts.started as usize, flying, "started letters are in flight");
            let skipped: u64 = campaign.skipped().iter().sum();
            let open = campaign.pending() + counts.started + counts.deferred;
            assert_eq!(campaign.total(), open + counts.sent + counts.failed + counts.doubt + skipped);
        }
    }

    /// A restock of a list, with so many more who joined before it.
    pub fn restock(&mut self, n: u32, more: u32) {
        let members = self.members.entry(list(n)).or_default();
        *members += more;
        let upto = *members;
        if upto == 0 {
            return;
        }
        let (_, claim) = self.claims.entry(id(n)).or_insert_with(|| (list(n), Claim::default()));
        let added = upto - claim.upto;
        claim.upto = upto;
        let header = header(n);
        self.channel(n).push_back(Input::Restocked { header, upto, added, at_start: false });
    }

    /// Somebody leaves; the list tells it.
    pub fn leave(&mut self, n: u32, person: u32) {
        if self.members.get(&list(n)).is_some_and(|members| (1..=*members).contains(&person))
            && self.left.insert((list(n), person))
        {
            let (person, reason) = (PersonId(person), SkipReason::Left);
            self.channel(n).push_back(Input::RecipientExcluded { list: Some(list(n)), person, reason });
        }
    }

    pub fn channel(&mut self, n: u32) -> &mut Channel {
        self.channels.entry(list(n)).or_default()
    }

    /// What a list says next arrives.
    pub fn arrive(&mut self, n: u32) -> bool {
        let Some(input) = self.channel(n).pop_front() else { return false };
        self.input(input);
        true
    }

    /// The oldest question is answered: by its list, in the order in which it speaks.
    pub fn answer(&mut self) -> bool {
        let Some(effect) = self.asked.pop_front() else { return false };
        match effect {
            Effect::Fetch { campaign, list, rows } => {
                let people =
                    rows.into_iter().map(|(row, person)| self.recipient(&list, row, person)).collect();
                self.channels.entry(list).or_default().push_back(Input::Fetched { campaign, people });
            }
            Effect::Invite { campaign, list, most } => {
                let (_, claim) = self.claims.get_mut(&campaign).unwrap();
                let to = (claim.invited + most as u32).min(claim.upto);
                let people: Vec<u32> = (claim.invited + 1..=to).collect();
                claim.invited = to;
                let last = claim.invited == claim.upto;
                let people = people.into_iter().map(|person| self.invitee(&list, person)).collect();
                let input = Input::Invited { campaign, people, page: None, last };
                self.channels.entry(list).or_default().push_back(input);
            }
            Effect::InviteAgain { campaign, list } => {
                let claim = self.claims[&campaign].1.clone();
                let people = (1..=claim.invited).map(|person| self.invitee(&list, person)).collect();
                let last = claim.invited == claim.upto;
                let input = Input::InvitedAgain { campaign, people, last };
                self.channels.entry(list).or_default().push_back(input);
            }
            Effect::TryTemplate { campaign, .. } => {
                self.input(Input::TemplateTried { campaign, result: Ok(()) });
            }
            other => panic!("{other:?}"),
        }
        true
    }

    fn invitee(&self, list: &ListId, person: u32) -> Invitee {
        let here = !self.left.contains(&(list.clone(), person));
        Invitee { person: PersonId(person), ordinal: person, here }
    }

    fn recipient(&self, list: &ListId, row: u32, person: PersonId) -> Recipient {
        let (email, provider) = email(person.0);
        let undeliverable = self.left.contains(&(list.clone(), person.0)).then_some(SkipReason::Left);
        // Everybody has an address of their own on each list: the guard is not what is looked at here.
        let address = u128::from(person.0) + 1;
        Recipient {
            row,
            person,
            live: person,
            email: Some(email),
            address,
            provider,
            undeliverable,
            props: Vec::new(),
        }
    }

    /// A worker that was asked to connect does, or does not.
    pub fn connect(&mut self, good: bool) -> bool {
        let Some(worker) = self.connecting.pop() else { return false };
        if good {
            self.alive.insert(worker, self.at);
            self.input(Input::Connected { worker });
        } else {
            self.alive.remove(&worker);
            let outcome = outcome(DeliveryResult::Deferred, SmtpPhase::Connection);
            self.input(Input::Unconnected { worker, outcome });
        }
        true
    }

    /// A letter in flight comes back; its connection is still good, unless the letter met its end there.
    pub fn deliver(&mut self, nth: usize, end: DeliveryResult, phase: SmtpPhase) -> bool {
        let connected = end != DeliveryResult::Unknown && phase != SmtpPhase::Connection;
        self.deliver_on(nth, end, phase, connected)
    }

    /// A letter in flight comes back, and whether its connection can carry another one.
    pub fn deliver_on(&mut self, nth: usize, end: DeliveryResult, phase: SmtpPhase, connected: bool) -> bool {
        let Some((worker, letter)) = self.flying.iter().nth(nth % self.flying.len().max(1)) else {
            return false;
        };
        let (worker, letter) = (*worker, letter.clone());
        self.flying.remove(&worker);
        if connected {
            self.alive.insert(worker, self.at);
        } else {
            self.alive.remove(&worker);
        }
        let Flying { campaign, person, .. } = letter;
        self.input(Input::Delivered { worker, campaign, person, outcome: outcome(end, phase), connected });
        true
    }

    pub fn command(&mut self, n: u32, command: CampaignCommand) {
        self.command = Some((id(n), command));
        self.input(Input::Command(id(n), command));
        self.command = None;
    }

    /// The verb was taken: what follows in the same step is under it.
    fn verb_taken(&mut self) {
        match self.command {
            Some((id, CampaignCommand::Pause)) => _ = self.paused.insert(id),
            Some((id, CampaignCommand::Resume)) => _ = self.paused.remove(&id),
            _ => {}
        }
    }

    /// The alarm rings when its time has come.
    pub fn ring(&mut self) -> bool {
        if self.alarm.is_some_and(|alarm| alarm <= self.at) {
            self.alarm = None;
            self.input(Input::Tick);
            return true;
        }
        false
    }

    /// Everything but the records is forgotten.
    pub fn crash(&mut self) {
        let rate = self.pace.0;
        let retry = Retry { base_ms: 60_000, max_age_ms: 3 * 86_400_000 };
        let mut campaigns = Campaigns::new(rate, retry).shaped(Arc::new(plan()));
        self.records.iter().for_each(|(event, at)| campaigns.apply(event, *at));
        self.scheduler = Scheduler::new(campaigns, setup());
        (self.asked, self.connecting, self.alarm) = (VecDeque::new(), Vec::new(), None);
        self.alive.clear();
        self.fetching.clear();
        self.flying.clear();
        // What lists had said and nobody had heard is said again by who said it: restocks and notes.
        for channel in self.channels.values_mut() {
            channel
                .retain(|input| matches!(input, Input::Restocked { .. } | Input::RecipientExcluded { .. }));
        }
        self.disturb(None);
        self.steps += 1;
        let mut effects = Vec::new();
        self.scheduler.step(Input::Resume, self.now(), &mut effects);
        effects.iter().for_each(|effect| self.follow(effect));
        self.adds_up();
    }

    /// While the clock stands still, everything that is under way comes to its end, in the order that `choose` picks: it
    /// answers with a number below the one it is given. Then nobody is left who could go.
    pub fn rest(&mut self, mut choose: impl FnMut(usize) -> usize) {
        self.make_room();
        let mut still = 0;
        for _ in 0..20_000 {
            let nth = choose(WORKERS);
            let moved = match choose(16) {
                0..4 => self.answer(),
                way @ 4..7 => self.arrive(way as u32 - 4),
                7..9 => self.connect(true),
                9 => choose(4) == 0 && self.connect(false),
                10 => self.ring(),
                11 => choose(4) == 0 && self.deliver(nth, DeliveryResult::Throttled, SmtpPhase::Rcpt),
                12 => choose(4) == 0 && self.deliver(nth, DeliveryResult::Deferred, SmtpPhase::Connection),
                _ => self.deliver(nth, DeliveryResult::Sent, SmtpPhase::Dot),
            };
            still = if moved { 0 } else { still + 1 };
            if still > 40 && !self.is_under_way() {
                return self.waits_for_something();
            }
        }
        panic!("it does not come to rest: {}", self.story());
    }

    /// The disk has room again, and the scheduler is told that something has changed.
    pub fn make_room(&mut self) {
        if !std::mem::replace(&mut self.room, true) {
            self.input(Input::Tick);
        }
    }

    /// True while somebody else than the clock has to say something.
    fn is_under_way(&self) -> bool {
        let talks = self.channels.values().any(|channel| !channel.is_empty());
        let rings = self.alarm.is_some_and(|alarm| alarm <= self.at);
        talks || rings || !(self.asked.is_empty() && self.connecting.is_empty() && self.flying.is_empty())
    }

    /// With nothing under way, each letter that is open waits for a time, and the alarm rings by then.
    fn waits_for_something(&self) {
        if self.is_under_way() || self.stopping {
            return;
        }
        let shut = self.scheduler.connections.shut_until(self.at);
        let held = self.scheduler.holds_all(self.now()).and_then(|(_, then)| then);
        let all = shut.max(held).unwrap_or(self.at);
        for campaign in self.scheduler.campaigns().open().filter(|campaign| campaign.is_sending()) {
            let id = campaign.header.id;
            let run = &self.scheduler.runs[&id];
            assert!(run.all_invited || run.at_hand() > 0, "nobody is invited: {}", self.story());
            for (at, row) in (0u32..).zip(campaign.ledger.rows()) {
                let until = match row.state {
                    LetterState::Pending => None,
                    LetterState::Deferred => campaign.ledger.not_before(at).filter(|then| *then > self.at),
                    _ => continue,
                };
                // Before what holds up everybody, nobody's own time counts.
                let until = until.map(|then| then.max(all)).or_else(|| self.waits_until(id, at, row.person));
                assert!(
                    until.is_none_or(|then| self.alarm.is_some_and(|alarm| alarm <= then)),
                    "row {at} of {id:?} may go at {until:?}, the alarm rings at {:?}, now is {:?}: {}",
                    self.alarm,
                    self.at,
                    self.story()
                );
            }
        }
    }

    /// Until when a letter has to wait by all conditions of a start; `None` for one that waits for another letter.
    fn waits_until(&self, id: CampaignId, row: u32, person: PersonId) -> Option<Millis> {
        let next = self.recipient(&list(id.0 as u32 - 1), row, person);
        let domain = next.email.as_ref().and_then(|email| self.scheduler.queues.find(email.domain()));
        let throttle = next.provider.map(Shaping::named).or(domain).unwrap_or(OTHERS);
        let shut = self.scheduler.connections.shut_until(self.at);
        match self.scheduler.may_start(id, &next, throttle, self.now()) {
            Admission::Wait { reason: HoldReason::Order, .. } | Admission::Skip(_) | Admission::Gone => None,
            Admission::Wait { until: Some(then), .. } => Some(then.max(shut.unwrap_or(then))),
            // No template is tried as long as the relay turns everybody away.
            Admission::Wait { reason: HoldReason::Template, .. } if shut.is_some() => shut,
            admission => {
                panic!(
                    "row {row} of {id:?} waits for nothing: {admission:?} {:?} {}",
                    self.alarm,
                    self.story()
                )
            }
        }
    }

    /// Lets everything come to its end: all is answered well, time passes by alarms alone.
    pub fn settle(&mut self) {
        self.make_room();
        for n in 0..3 {
            if self.paused.contains(&id(n)) {
                self.command(n, CampaignCommand::Resume);
            }
        }
        let mut idle = 0;
        for _ in 0..20_000 {
            let lists: Vec<u32> = (0..3).collect();
            let moved = self.answer()
                | lists.into_iter().any(|n| self.arrive(n))
                | self.connect(true)
                | self.deliver(0, DeliveryResult::Sent, SmtpPhase::Dot);
            if moved {
                idle = 0;
                continue;
            }
            if self.scheduler.campaigns().open().next().is_none() {
                return;
            }
            self.waits_for_something();
            let alarm =
                self.alarm.unwrap_or_else(|| panic!("letters wait and no alarm is set: {}", self.story()));
            self.at = self.at.max(alarm);
            assert!(self.ring());
            idle += 1;
            assert!(idle < 100, "alarms lead to nothing: {}", self.story());
        }
        panic!("it does not come to an end: {}", self.story());
    }

    fn story(&self) -> String {
        let told = |c: &crate::campaign::Campaign| {
            let rows: Vec<_> = c.ledger.rows().map(|row| (row.person.0, row.state)).collect();
            format!("{:?} {:?} uninvited {} {:?}", c.header.id, c.status, c.uninvited, rows)
        };
        self.scheduler.campaigns().open().map(told).collect::<Vec<_>>().join("\n")
    }

    /// Who was sent a letter, in the order of acceptance, by campaign.
    pub fn sent(&self, n: u32) -> Vec<u32> {
        let sent = self.records.iter().filter_map(|(event, _)| match event {
            CampaignEvent::Settled { id: of, person, settlement: Settlement::Sent, .. } if *of == id(n) => {
                Some(person.0)
            }
            _ => None,
        });
        sent.collect()
    }

    pub fn status(&self, n: u32) -> Option<CampaignStatus> {
        self.scheduler.campaigns().get(id(n)).map(|campaign| campaign.status)
    }
}

pub fn setup() -> Setup {
    Setup {
        window: 8,
        connections: WORKERS,
        renotify_ms: 0,
        leave_after_send: false,
        catalog: Catalog::default(),
    }
}
