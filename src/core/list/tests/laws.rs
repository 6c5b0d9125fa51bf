//! Laws of a list under any history, against a naive line of people.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;

/// One thing that happens.
#[derive(Debug, Clone)]
enum Step {
    Change(u32, bool, u64),
    Erase(u32),
    Unite(u32, u32),
    Restock(u128),
    Invite(bool, usize),
    Close(bool),
    Wait(u64),
    Forget,
}

/// Any history: few people, so that they meet often.
fn steps() -> impl Strategy<Value = Vec<Step>> {
    let person = 1u32..10;
    let step = prop_oneof![
        8 => (person.clone(), any::<bool>(), 0u64..3000).prop_map(|(p, join, ago)| Step::Change(p, join, ago)),
        1 => person.clone().prop_map(Step::Erase),
        2 => (person.clone(), person).prop_map(|(a, b)| Step::Unite(a, b)),
        3 => (0u128..40).prop_map(Step::Restock),
        5 => (any::<bool>(), 0usize..4).prop_map(|(late, most)| Step::Invite(late, most)),
        1 => any::<bool>().prop_map(Step::Close),
        1 => prop_oneof![9 => 0u64..3 * DAY, 1 => 200 * DAY..500 * DAY].prop_map(Step::Wait),
        1 => Just(Step::Forget),
    ];
    prop::collection::vec(step, 1..220)
}

/// The line as a child would keep it.
#[derive(Default)]
struct Line {
    next: u32,
    waiting: Vec<(u32, u32)>,
    left: BTreeSet<u32>,
    /// When somebody here or gone last changed.
    changed: BTreeMap<u32, Millis>,
    signals: BTreeMap<u128, Millis>,
}

impl Line {
    fn holds(&self, person: u32) -> Option<u32> {
        self.waiting.iter().find(|(_, p)| *p == person).map(|(place, _)| *place)
    }

    fn drop(&mut self, person: u32) {
        self.waiting.retain(|(_, p)| *p != person);
        self.left.remove(&person);
    }

    fn change(&mut self, person: u32, join: bool, now: Millis) {
        match (join, self.holds(person)) {
            (true, None) => {
                self.drop(person);
                self.next += 1;
                self.waiting.push((self.next, person));
            }
            (false, Some(_)) => {
                self.drop(person);
                self.left.insert(person);
            }
            _ => return,
        }
        self.changed.insert(person, now);
    }

    fn forget(&mut self, now: Millis) {
        self.left.retain(|person| now.since(self.changed[person]) < 400 * DAY);
    }

    fn unite(&mut self, from: u32, to: u32) {
        let knows = |line: &Self, p| line.holds(p).is_some() || line.left.contains(&p);
        if from == to || !knows(self, from) {
            return;
        }
        let no = self.left.contains(&from) || self.left.contains(&to);
        let places = [self.holds(from), self.holds(to)];
        let changed = match (knows(self, to), places) {
            (false, _) => self.changed[&from],
            (true, _) if no => self.changed[&from].max(self.changed[&to]),
            (true, [one, other]) if one < other => self.changed[&from],
            _ => self.changed[&to],
        };
        self.changed.insert(to, changed);
        self.drop(from);
        self.drop(to);
        match places.into_iter().flatten().min().filter(|_| !no) {
            Some(place) => self.waiting.push((place, to)),
            None => _ = self.left.insert(to),
        }
        self.waiting.sort_unstable();
    }
}

/// Plays a history on a list and on the line, comparing at every step.
fn play(steps: &[Step]) -> Result<Desk, TestCaseError> {
    let (mut desk, mut line, mut now) = (Desk::default(), Line::default(), START);
    let mut handed: BTreeMap<u128, (u32, Vec<u32>)> = BTreeMap::new();
    for step in steps {
        now = now.plus(1000);
        let day = i32::try_from(now.0 / DAY).unwrap();
        let today = |late: bool| day as u128 * 2 - u128::from(late) * 2;
        match *step {
            Step::Wait(ms) => now = now.plus(ms),
            Step::Forget => {
                desk.ask(&ListCommand::Forget { default_opt_in: false }, now);
                line.forget(now);
            }
            Step::Change(person, join, _) => {
                desk.change(person, join, now);
                line.change(person, join, now);
            }
            Step::Erase(person) => {
                desk.erase(person);
                line.drop(person);
            }
            Step::Unite(from, to) => {
                desk.unite(from, to);
                line.unite(from, to);
            }
            Step::Restock(key) => {
                let counted = matches!(desk.ask(&restock(key, day, today(false)), now), ListDecision::New(_));
                let known = line.signals.get(&key).is_some_and(|at| now.since(*at) < 7 * DAY);
                prop_assert_eq!(counted, !known);
                if counted {
                    line.signals.insert(key, now);
                }
            }
            Step::Invite(late, most) => {
                let id = today(late);
                let known = handed.entry(id).or_default();
                let before = line.waiting.clone();
                let told = desk.records.len();
                let next = desk.invite(id, most);
                if let Some((ListEvent::Invited { from, to, .. }, _)) = desk.records.get(told)
                    && from <= to
                {
                    prop_assert_eq!(*from, known.0 + 1, "a stretch follows the one before");
                    let due = before.iter().filter(|(place, _)| (from..=to).contains(&place));
                    prop_assert_eq!(here(&next), due.map(|(_, p)| *p).collect::<Vec<_>>());
                    prop_assert!(next.people.len() <= most);
                    known.0 = *to;
                    known.1.extend(next.people.iter().map(|invitee| invitee.ordinal));
                    let mut once = known.1.clone();
                    once.sort_unstable();
                    once.dedup();
                    prop_assert_eq!(&once, &known.1, "each place is handed over once, in order");
                }
            }
            Step::Close(late) => {
                let id = today(late);
                let upto = handed.get(&id).map_or(0, |(upto, _)| *upto);
                desk.ask(&ListCommand::Close { campaign: CampaignId(id), upto }, now);
            }
        }
        prop_assert_eq!(super::line(&desk.list), line.waiting.iter().map(|(_, p)| *p).collect::<Vec<_>>());
        prop_assert_eq!(desk.list.joined() as usize, line.waiting.len());
        prop_assert_eq!(desk.list.left() as usize, line.left.len());
        for person in 1..10 {
            let expected = match (line.holds(person), line.left.contains(&person)) {
                (Some(_), _) => Some(true),
                (None, true) => Some(false),
                (None, false) => None,
            };
            prop_assert_eq!(desk.list.subscribed(PersonId(person)), expected);
        }
        // Asked again after a crash, a campaign hears of each person with a place at most once.
        for invite in &desk.list.invites {
            let all = desk.list.invited(invite.campaign).unwrap_or_default();
            let mut people = here(&all);
            people.sort_unstable();
            people.dedup();
            prop_assert_eq!(people.len(), here(&all).len());
        }
    }
    Ok(desk)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_history_agrees_with_a_naive_line_and_hands_over_in_join_order(steps in steps()) {
        play(&steps)?;
    }

    #[test]
    fn replay_equals_the_live_list_from_the_start_and_from_any_snapshot(steps in steps(), cut in 0.0f64..1.0) {
        let desk = play(&steps)?;
        prop_assert_eq!(state(&desk.replay()), state(&desk.list));
        let cut = (desk.records.len() as f64 * cut) as usize;
        let mut list = List::default();
        for (n, (event, at)) in desk.records.iter().enumerate() {
            if n == cut {
                let image = list.image();
                list = slept(&list);
                prop_assert_eq!(state(&image), state(&list));
            }
            list.apply(event, *at);
        }
        prop_assert_eq!(state(&list), state(&desk.list));
    }

    #[test]
    fn a_list_that_slept_between_any_two_commands_says_the_same(steps in steps()) {
        let (awake, mut asleep) = (play(&steps)?, List::default());
        for (event, at) in &awake.records {
            asleep.apply(event, *at);
            asleep = slept(&asleep);
        }
        prop_assert_eq!(state(&asleep), state(&awake.list));
        prop_assert_eq!(line(&asleep), line(&awake.list));
    }

    #[test]
    fn events_sent_again_unless_passed_change_nothing(steps in steps(), cut in 0.0f64..1.0) {
        let live = play(&steps)?;
        // The list has heard of all up to the cut; all is sent again, in order.
        let heard = (live.event as f64 * cut) as u64;
        let commands = bag(&steps);
        let mut list = List::default();
        let told = |list: &mut List, from: u64| {
            for command in &commands {
                let event = match command {
                    ListCommand::Change { event, .. } | ListCommand::Move { event, .. } => *event,
                    _ => 0,
                };
                if event > from && !list.passed(event)
                    && let ListDecision::New(event) = list.decide(command, START) {
                        list.apply(&event, START);
                    }
                if from == 0 && event == heard {
                    break;
                }
            }
        };
        if heard > 0 {
            told(&mut list, 0);
        }
        let mut once = list.clone();
        told(&mut once, heard);
        let slept = slept(&list);
        let mut again = slept;
        for _ in 0..2 {
            for command in &commands {
                let (ListCommand::Change { event, .. } | ListCommand::Move { event, .. }) = command else { continue };
                if !again.passed(*event)
                    && let ListDecision::New(event) = again.decide(command, START) {
                        again.apply(&event, START);
                    }
            }
        }
        prop_assert_eq!(state(&again), state(&once));
    }
}

/// The membership changes of a history as the directory sends them, by its counter.
fn bag(steps: &[Step]) -> Vec<ListCommand> {
    let mut event = 0;
    let mut commands = Vec::new();
    for step in steps {
        let command = match *step {
            Step::Change(person, join, ago) => {
                let mut command = change(event + 1, person, join);
                if let ListCommand::Change { timestamp, .. } = &mut command {
                    *timestamp = (ago > 2000).then_some(Millis(START.0 - ago));
                }
                command
            }
            Step::Erase(person) => {
                let mut command = change(event + 1, person, false);
                if let ListCommand::Change { source, .. } = &mut command {
                    *source = ChangeSource::Erasure;
                }
                command
            }
            Step::Unite(from, to) => {
                ListCommand::Move { event: event + 1, from: PersonId(from), to: PersonId(to) }
            }
            _ => continue,
        };
        event += 1;
        commands.push(command);
    }
    commands
}
