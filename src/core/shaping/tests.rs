//! What holds of throttles, by example and by law.

use proptest::prelude::*;

use super::super::pace::Rate;
use super::throttle::{PAUSE_MS, STEP_MS};
use super::*;

/// The start of time in these tests: a midnight.
const START: Millis = Millis(19_700 * 86_400_000);

/// A provider's throttle with its letters in this run; eight connections over all, the others idle.
struct Provider {
    throttle: ProviderThrottle,
    flow: Flow,
}

fn provider(limits: Limits) -> Provider {
    Provider { throttle: ProviderThrottle::new("google", limits), flow: Flow::default() }
}

impl std::ops::Deref for Provider {
    type Target = ProviderThrottle;
    fn deref(&self) -> &ProviderThrottle {
        &self.throttle
    }
}

impl Provider {
    fn load(&self) -> WorkerLoad {
        WorkerLoad { connections: 8, in_flight: self.flow.in_flight() }
    }

    fn check(&self, at: Millis) -> ThrottleDecision {
        self.throttle.check(&self.flow, self.load(), at)
    }

    /// One letter is back.
    fn returns(&mut self) {
        self.flow.returns(1, false, 8, START);
    }

    /// All letters are back.
    fn land(&mut self) {
        (0..self.flow.in_flight()).for_each(|_| self.returns());
    }
}

/// A letter starts, if it may.
fn start(throttle: &mut Provider, at: Millis) -> bool {
    let open = throttle.check(at) == ThrottleDecision::Open;
    if open {
        throttle.flow.letter_started(at);
        throttle.throttle.count(at);
    }
    open
}

/// A letter comes back throttled.
fn answer_throttled(throttle: &mut Provider, at: Millis) -> bool {
    let cut = throttle.throttle.decide_cut(&throttle.flow, at);
    throttle.throttle.set_cut(cut.or(throttle.throttle.cut));
    cut.is_some()
}

/// A letter comes back accepted.
fn accept(throttle: &mut Provider, at: Millis) {
    if let Some(cut) = throttle.throttle.decide_growth(at) {
        throttle.throttle.set_cut(cut);
    }
}

/// What a throttle says by records alone.
fn told(shaping: &Shaping, name: &str, at: Millis) -> ThrottleDecision {
    shaping
        .known()
        .find(|throttle| &*throttle.name == name)
        .map_or(ThrottleDecision::Open, |throttle| throttle.check_time(at))
}

#[test]
fn a_throttle_halves_what_was_achieved_once_however_many_letters_were_in_flight() {
    let mut throttle = provider(Limits::default());
    // Ten a second for ten seconds: 600 a minute.
    for n in 0..100 {
        assert!(start(&mut throttle, START.plus(n * 100)));
        throttle.returns();
    }
    let at = START.plus(10_000);
    let cuts = (0..50).filter(|n| answer_throttled(&mut throttle, at.plus(n * 20))).count();
    let cut = throttle.cut.unwrap();
    assert_eq!((cuts, cut.until), (1, at.plus(u64::from(PAUSE_MS))));
    assert!((295..=305).contains(&cut.rate), "{cut:?}");
    assert_eq!(throttle.check(at), ThrottleDecision::At(cut.until));
    assert_eq!(throttle.check(cut.until), ThrottleDecision::Open);
}

#[test]
fn throttles_that_go_on_lead_to_one_letter_a_minute_and_longer_pauses_and_success_leads_back() {
    let limits = Limits { rate: Rate::parse("20/s").flatten(), ..Limits::default() };
    let mut throttle = provider(limits);
    let mut at = START;
    let mut pauses = Vec::new();
    for _ in 0..16 {
        while !start(&mut throttle, at) {
            at = at.plus(100);
        }
        throttle.returns();
        assert!(answer_throttled(&mut throttle, at));
        pauses.push(throttle.cut.unwrap().pause_ms);
    }
    assert_eq!(throttle.cut.unwrap().rate, 1);
    assert_eq!(&pauses[..5], &[5_000, 10_000, 20_000, 40_000, 60_000]);
    assert!(pauses[5..].iter().all(|pause| *pause == 60_000));
    let (began, mut rates) = (at, Vec::new());
    while throttle.cut.is_some() && at.since(began) < 3_600_000 {
        at = at.plus(50);
        if start(&mut throttle, at) {
            throttle.returns();
            accept(&mut throttle, at);
            rates.extend(throttle.cut.map(|cut| cut.rate));
        }
    }
    assert!(throttle.cut.is_none(), "it never came back: {rates:?}");
    assert!(rates.windows(2).all(|pair| pair[0] <= pair[1] && pair[1] - pair[0] <= 1200 / 40), "{rates:?}");
    assert!(at.since(began) >= 30 * STEP_MS, "it came back within {} ms", at.since(began));
    assert_eq!(throttle.rate(), Rate::parse("20/s").flatten());
}

#[test]
fn a_minute_of_throttles_halves_the_rate_once_a_try_and_the_first_success_leads_on_at_once() {
    let mut throttle = provider(Limits { rate: Rate::parse("200/s").flatten(), ..Limits::default() });
    // Two hundred a second for twenty seconds, then nothing is accepted for a minute.
    let (shut, end) = (START.plus(20_000), START.plus(80_000));
    let (mut at, mut cuts) = (START, Vec::new());
    while at < end {
        if start(&mut throttle, at) {
            throttle.returns();
            if at >= shut && answer_throttled(&mut throttle, at) {
                cuts.extend(throttle.cut);
            }
        }
        at = at.plus(1);
    }
    let rates: Vec<u32> = cuts.iter().map(|cut| cut.rate).collect();
    assert!((5_400..=6_000).contains(&rates[0]), "{rates:?}");
    assert!(rates.windows(2).all(|pair| pair[1] == pair[0] / 2), "by half of what it tried: {rates:?}");
    // Pauses of 5, 10, 20 and 40 s: it opens 15 s after the minute.
    assert_eq!((rates.len(), cuts[3].until.since(end) / 1000), (4, 15));
    let mut taken = 0;
    for ms in 0..5_000 {
        let at = cuts[3].until.plus(ms);
        if start(&mut throttle, at) {
            throttle.returns();
            accept(&mut throttle, at);
            taken += 1;
        }
    }
    let grown = rates[3] + 12_000 / 40;
    assert_eq!(throttle.cut.map(|cut| cut.rate), Some(grown));
    assert!(taken >= grown * 5 / 60, "{taken} letters in five seconds at {grown}/m");
}

#[test]
fn a_letter_of_a_slow_pace_does_not_hold_up_the_next_one_at_a_quicker_pace() {
    let mut shaping = Shaping::default();
    let cut = |rate, stepped| RateCut { rate, target: 12_000, until: START, pause_ms: 5000, stepped };
    for name in ["shop.example", "relay"] {
        shaping.paced(name, Some(cut(1, START)), Some("421 slower"), START);
        match name {
            "relay" => shaping.started(START),
            _ => shaping.started_for(name, START),
        }
        assert_eq!(told(&shaping, name, START.plus(10)), ThrottleDecision::At(START.plus(60_000)), "{name}");
        shaping.paced(name, Some(cut(301, START.plus(10))), None, START.plus(10));
        assert_eq!(told(&shaping, name, START.plus(10)), ThrottleDecision::At(START.plus(200)), "{name}");
    }
}

#[test]
fn a_start_that_no_receiver_saw_takes_nothing_of_rate_or_ceiling() {
    let default = Limits { rate: Rate::parse("60/m").flatten(), per_day: Some(2), ..Limits::default() };
    let mut shaping = Shaping::new(Arc::new(Plan { default, ..Plan::default() }));
    for n in 0..9 {
        assert_eq!(told(&shaping, "shop.example", START), ThrottleDecision::Open, "{n}");
        shaping.started_for("shop.example", START);
        shaping.undo_start(Some("shop.example"), START, START);
    }
    shaping.started_for("shop.example", START);
    assert_eq!(told(&shaping, "shop.example", START), ThrottleDecision::At(START.plus(1000)));
    shaping.started_for("shop.example", START.plus(1000));
    assert_eq!(
        told(&shaping, "shop.example", START.plus(5000)),
        ThrottleDecision::Ceiling(START.plus(86_400_000))
    );
}

#[test]
fn a_cut_keeps_its_rate_where_letters_start_at_whole_milliseconds_and_its_burst_is_never_more_than_is_set() {
    let cut = RateCut { rate: 11_400, target: 12_000, until: START, pause_ms: 5000, stepped: START };
    for (burst, bursts) in [(20, 19), (1, 1)] {
        let limits =
            Limits { rate: Some(Rate { letters: 200, period_ms: 1000, burst }), ..Limits::default() };
        let mut throttle = provider(limits);
        throttle.throttle.set_cut(Some(cut));
        let mut starts = 0;
        // Each is looked at again two milliseconds after the one before at the earliest.
        for ms in (0..10_000).step_by(2) {
            if start(&mut throttle, START.plus(ms)) {
                throttle.returns();
                starts += 1;
            }
        }
        assert_eq!(throttle.rate().map(|rate| rate.burst), Some(bursts));
        assert_eq!(starts >= 1_890, burst > 1, "{starts} in ten seconds of 190/s");
    }
}

#[test]
fn a_rate_that_changes_grants_no_second_burst() {
    let limits = Limits {
        rate: Some(Rate { letters: 60, period_ms: 60_000, burst: 19 }),
        connections: Some(99),
        ..Limits::default()
    };
    let mut throttle = provider(limits);
    assert_eq!((0..30).filter(|_| start(&mut throttle, START)).count(), 19);
    answer_throttled(&mut throttle, START);
    throttle.land();
    let at = START.plus(10_000);
    // One that was under way all the time.
    accept(&mut throttle, at);
    assert_eq!(throttle.check(at), ThrottleDecision::At(START.plus(19_000)));
}

#[test]
fn a_day_has_its_ceiling_and_the_next_one_its_own() {
    let mut throttle =
        provider(Limits { per_day: Some(5), warm_up: vec![2], connections: Some(9), ..Limits::default() });
    let day = |n: u64| START.plus(n * 86_400_000 + 1);
    let starts = |throttle: &mut Provider, at| (0..10).filter(|_| start(throttle, at)).count();
    // Connections are no matter here.
    let mut counts = Vec::new();
    for n in [0, 0, 1, 1, 4] {
        counts.push(starts(&mut throttle, day(n)));
        throttle.land();
    }
    assert_eq!(counts, [2, 0, 5, 0, 5]);
    assert_eq!(throttle.check(day(4)), ThrottleDecision::Ceiling(START.plus(5 * 86_400_000)));
}

#[test]
fn connections_bound_what_is_in_flight_and_a_cut_leaves_most_of_them_to_others() {
    let mut throttle = provider(Limits { connections: Some(3), ..Limits::default() });
    assert_eq!((0..9).filter(|_| start(&mut throttle, START)).count(), 3);
    assert_eq!(throttle.check(START), ThrottleDecision::Full);
    throttle.returns();
    assert_eq!(throttle.check(START), ThrottleDecision::Open);
    answer_throttled(&mut throttle, START);
    let of = |connections| throttle.connections(&throttle.flow, WorkerLoad { connections, in_flight: 2 });
    assert_eq!((of(8), of(2), of(40)), (2, 1, 3));
}

#[test]
fn policy_refusals_count_only_in_a_row() {
    let mut flow = Flow::default();
    let row = POLICY_ROW as usize;
    assert!((1..row).all(|_| !flow.refuses()));
    flow.returns(1, true, 8, START);
    let told: Vec<bool> = (0..row).map(|_| flow.refuses()).collect();
    assert_eq!((told.iter().filter(|many| **many).count(), told.last()), (1, Some(&true)));
}

#[test]
fn who_is_slow_leaves_a_connection_to_whoever_comes_and_who_is_quick_may_have_all() {
    let (ten, mut slow, mut in_flight) = (10, [Flow::default(); 4], 0);
    let may = |flow: &Flow, in_flight| {
        flow.in_flight() < flow.concurrency(WorkerLoad { connections: ten, in_flight })
    };
    let mut taken = Vec::new();
    for flow in &mut slow {
        while in_flight < ten && may(flow, in_flight) {
            flow.letter_started(START);
            in_flight += 1;
        }
        taken.push(flow.in_flight());
    }
    assert_eq!(taken, [7, 2, 1, 0], "one alone leaves room for two more");
    // Letters that come back late change nothing; quick ones do.
    let mut flow = Flow::default();
    for (took_ms, expected) in [(SLOW_MS + 1, 1), (QUICK_MS + 1, 1)] {
        flow.letter_started(START);
        flow.returns(took_ms, true, ten, START);
        assert_eq!(flow.concurrency(WorkerLoad { connections: ten, in_flight: 9 }), expected);
    }
    for _ in 0..20 {
        flow.letter_started(START);
        flow.returns(QUICK_MS, true, ten, START);
    }
    assert_eq!(flow.concurrency(WorkerLoad { connections: ten, in_flight: 9 }), ten);
    flow.letter_started(START);
    flow.returns(SLOW_MS + 1, true, ten, START);
    assert_eq!(flow.concurrency(WorkerLoad { connections: ten, in_flight: 9 }), 1);
}

#[test]
fn domains_beyond_the_room_share_a_lane_and_nothing_counted_is_forgotten() {
    let default = Limits { per_day: Some(10), ..Limits::default() };
    let mut shaping = Shaping::new(Arc::new(Plan { default, ..Plan::default() }));
    let mut n = 0;
    while shaping.domains.len() + shaping.fixed.len() < THROTTLES_MAX {
        n += 1;
        shaping.started_for(&format!("d{n}.example"), START.plus(n));
    }
    assert!(!shaping.has_room("late.example") && shaping.has_room("d1.example"));
    // Each of them has a letter of today on its count.
    shaping.started_for("late.example", START.plus(n + 1));
    assert_eq!(shaping.fixed[usize::from(OTHERS.0)].today(START.plus(n + 1)), 1);
    assert!(shaping.domains.contains_key("d1.example") && !shaping.domains.contains_key("late.example"));
    // The next day those used least recently go.
    let next = START.plus(86_400_000);
    shaping.started_for("late.example", next);
    assert!(
        !shaping.domains.contains_key("d1.example")
            && shaping.domains.contains_key(&*format!("d{n}.example"))
    );
    assert_eq!(shaping.domains.get("late.example").map(|throttle| throttle.today(next)), Some(1));
}

#[test]
fn a_domain_without_room_of_its_own_is_checked_by_the_lane_that_counts_it() {
    let default = Limits { per_day: Some(3), ..Limits::default() };
    let mut shaping = Shaping::new(Arc::new(Plan { default, ..Plan::default() }));
    let mut n = 0;
    while shaping.domains.len() + shaping.fixed.len() < THROTTLES_MAX {
        n += 1;
        shaping.started_for(&format!("d{n}.example"), START);
    }
    // It had a queue before the room was gone.
    let late = ThrottleId(u16::MAX);
    for _ in 0..3 {
        assert_eq!(shaping.throttle(late, "late.example").check_time(START), ThrottleDecision::Open);
        shaping.started_for("late.example", START);
    }
    assert!(matches!(shaping.throttle(late, "late.example").check_time(START), ThrottleDecision::Ceiling(_)));
    assert_eq!(shaping.throttle(late, "d1.example").check_time(START), ThrottleDecision::Open);
}

#[test]
fn a_warm_up_begins_with_the_first_letter_that_a_receiver_saw() {
    let limits = Limits { per_day: Some(10), ..Limits::default() };
    let mut shaping = Shaping::new(Arc::new(Plan { default: limits, ..Plan::default() }));
    let next = START.plus(86_400_000);
    shaping.started_for("d.example", START);
    shaping.undo_start(Some("d.example"), START, START);
    assert_eq!(shaping.domains["d.example"].first_day, None);
    shaping.started_for("d.example", next);
    let first = shaping.domains["d.example"].first_day;
    shaping.started_for("d.example", next);
    shaping.undo_start(Some("d.example"), next, next);
    assert!(first.is_some() && shaping.domains["d.example"].first_day == first, "one of them was seen");
}

#[test]
fn a_snapshot_gives_back_all_that_must_not_be_granted_twice() {
    let mut named = BTreeMap::new();
    named.insert(0, Limits { rate: Rate::parse("2/s").flatten(), per_day: Some(50), ..Limits::default() });
    let plan = Arc::new(Plan { named, ..Plan::default() });
    let mut shaping = Shaping::new(Arc::clone(&plan));
    for n in 0..5 {
        shaping.started_for("google", START.plus(n * 500));
    }
    let cut = RateCut { rate: 3, target: 120, until: START.plus(9000), pause_ms: 5000, stepped: START };
    shaping.paced("shop.example", Some(cut), Some("421 slower"), START);
    let mut again = Shaping::new(plan);
    again.restore(shaping.image());
    for name in ["google", "shop.example"] {
        for ms in [0, 2000, 2500, 9000, 86_400_000] {
            let at = START.plus(ms);
            assert_eq!(told(&shaping, name, at), told(&again, name, at), "{name} at {ms}");
        }
    }
    assert_eq!(shaping.image(), again.image());
}

/// One thing that happens to a throttle.
#[derive(Debug, Clone, Copy)]
enum Step {
    Wait(u64),
    Start,
    Accepted,
    Throttled,
    Restart,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        3 => (0u64..30_000).prop_map(Step::Wait),
        1 => (0u64..40).prop_map(|hours| Step::Wait(hours * 3_600_000)),
        12 => Just(Step::Start),
        6 => Just(Step::Accepted),
        2 => Just(Step::Throttled),
        1 => Just(Step::Restart),
    ];
    prop::collection::vec(step, 1..300)
}

proptest! {
    #[test]
    fn whatever_happens_no_limit_is_broken_and_no_restart_grants_more(
        per_minute in 1u32..3000, burst in 1u32..20, per_day in 1u32..40, warm in 1u32..10, steps in steps()
    ) {
        let rate = Rate { letters: per_minute, period_ms: 60_000, burst };
        let limits = Limits { rate: Some(rate), connections: Some(4), per_day: Some(per_day), warm_up: vec![warm] };
        let plan = Arc::new(Plan { named: BTreeMap::from([(0, limits)]), ..Plan::default() });
        let mut shaping = Shaping::new(Arc::clone(&plan));
        let google = |shaping: &Shaping| shaping.throttle(Shaping::named(0), "").clone();
        let (mut flow, mut at, mut starts, mut cuts) = (Flow::default(), START, Vec::new(), Vec::new());
        let load = |flow: &Flow| WorkerLoad { connections: 8, in_flight: flow.in_flight() };
        for step in steps {
            let throttle = google(&shaping);
            match step {
                Step::Wait(ms) => at = at.plus(ms),
                Step::Start if throttle.check(&flow, load(&flow), at) == ThrottleDecision::Open => {
                    flow.letter_started(at);
                    shaping.started_for("google", at);
                    starts.push(at);
                    prop_assert!(flow.in_flight() <= 4);
                }
                Step::Accepted if flow.in_flight() > 0 => {
                    flow.returns(1, true, 8, START);
                    if let Some(cut) = throttle.decide_growth(at) {
                        shaping.paced("google", cut, None, at);
                    }
                }
                Step::Throttled if flow.in_flight() > 0 => {
                    flow.returns(1, false, 8, START);
                    let held = throttle.rate().map_or(u32::MAX, Rate::per_minute);
                    if let Some(cut) = throttle.decide_cut(&flow, at) {
                        prop_assert!(cut.rate >= 1 && cut.rate <= (held / 2).max(1), "{:?} after {}", cut, held);
                        shaping.paced("google", Some(cut), Some("421"), at);
                        cuts.push(at);
                    }
                }
                Step::Restart => {
                    let image = shaping.image();
                    shaping = Shaping::new(Arc::clone(&plan));
                    shaping.restore(image);
                    let after = google(&shaping);
                    prop_assert_eq!((throttle.cut, throttle.today(at), throttle.pace), (after.cut, after.today(at), after.pace));
                    flow = Flow::default();
                }
                _ => {}
            }
        }
        let day = |at: &Millis| at.0 / 86_400_000;
        let first = starts.first().map(day);
        for start in &starts {
            let of_day = starts.iter().filter(|other| day(other) == day(start)).count();
            let ceiling = if Some(day(start)) == first { per_day.min(warm) } else { per_day };
            prop_assert!(of_day <= ceiling as usize);
        }
        for (i, from) in starts.iter().enumerate() {
            for (j, to) in starts.iter().enumerate().skip(i) {
                let allowed = to.since(*from) as f64 / 60_000.0 * f64::from(per_minute) + f64::from(burst);
                prop_assert!((j - i + 1) as f64 <= allowed + 1.0);
            }
        }
        for pair in cuts.windows(2) {
            prop_assert!(pair[1].since(pair[0]) >= u64::from(PAUSE_MS));
        }
    }
}
