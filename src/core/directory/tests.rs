//! What holds of the directory, by example and by law.

mod feedback;
mod laws;
mod lists;
mod people;

use super::*;
use crate::ProductDetails;
use crate::catalog::{Catalog, Declared};

/// The start of time in these tests.
const START: Millis = Millis(1_700_000_000_000);

/// A directory that writes down what it was told.
struct Desk {
    directory: Directory,
    records: Vec<(DirectoryEvent, Millis)>,
}

/// The declared lists: `news`, and `all` with everybody on it.
fn catalog() -> Catalog {
    let declared = |name: &str, default_opt_in| {
        (ListId::parse(name).unwrap(), Declared { name: name.to_owned(), description: None, default_opt_in })
    };
    Catalog::new([declared("news", false), declared("all", true)])
}

/// A hash of an address, good enough for tests.
fn hash(email: &str) -> u128 {
    email.bytes().fold(7, |hash: u128, byte| hash.wrapping_mul(131) ^ u128::from(byte))
}

/// An address that takes no mail, as a record says it.
fn blocked(address: u128, why: SuppressionReason) -> DirectoryEvent {
    DirectoryEvent::Suppressed { address, why, person: None, evidence: String::new() }
}

/// Names as a request gives them; an empty one is not given.
fn who(email: &str, user: &str, anonymous: &str) -> HashedIdentity {
    let given = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    HashedIdentity {
        email: Email::parse(email).map(|parsed| (parsed, hash(email))),
        user_id: given(user),
        anonymous_id: given(anonymous),
    }
}

/// An event with a bag.
fn event(who: HashedIdentity, bag: &[(&str, bool)]) -> Ingest {
    Ingest {
        name: "notify_me".into(),
        who,
        props: Vec::new(),
        bag: bag.iter().map(|(list, join)| ((*list).to_owned(), *join)).collect(),
        key: None,
        source: ChangeSource::Event,
        timestamp: None,
        product: None,
        restock: None,
        evidence: None,
        public: false,
    }
}

/// All pages of a snapshot.
fn pages(directory: &Directory) -> Vec<DirectoryPage> {
    directory.image().pages().collect()
}

/// A directory from another's pages.
fn restored(directory: &Directory) -> Directory {
    let mut again = Directory::new(99, 1000);
    for page in pages(directory) {
        again.restore(page).unwrap();
    }
    again.restored();
    again
}

impl Desk {
    fn new() -> Self {
        Self { directory: Directory::new(5, 1000), records: Vec::new() }
    }

    /// Records and applies.
    fn record(&mut self, event: DirectoryEvent, at: Millis) {
        self.directory.apply(&event, at);
        self.records.push((event, at));
    }

    /// Decides (which reads only), records, applies.
    fn ingest(&mut self, ingest: &Ingest, at: Millis) -> Option<IngestOutcome> {
        let before = pages(&self.directory);
        let decision = self.directory.decide(ingest, &catalog(), at);
        assert_eq!(before, pages(&self.directory), "asking changed the directory");
        let DirectoryDecision { events, outcome } = decision?;
        events.into_iter().for_each(|event| self.record(event, at));
        Some(outcome)
    }

    /// An event with a bag, now.
    fn press(&mut self, who: HashedIdentity, bag: &[(&str, bool)]) -> IngestOutcome {
        self.ingest(&event(who, bag), START).unwrap()
    }

    /// A plain change.
    fn ask(&mut self, ask: &DirectoryCommand) -> bool {
        let events = self.directory.decide_command(ask);
        let happens = !events.is_empty();
        events.into_iter().for_each(|event| self.record(event, START));
        happens
    }

    /// All lists have answered.
    fn close_all(&mut self) {
        let open: Vec<u64> = self.directory.open().map(|(event, _)| event).collect();
        open.into_iter().for_each(|event| self.directory.close(event));
    }

    /// All that is recorded, played on an empty directory.
    fn replay(&self) -> Directory {
        let mut directory = Directory::new(6, 1000);
        self.records.iter().for_each(|(event, at)| directory.apply(event, *at));
        directory
    }

    /// The number of the person with this address.
    fn number(&self, email: &str) -> Option<u32> {
        self.directory.by_email(&Email::parse(email)?).map(|id| id.0)
    }
}

/// The tasks of the newest open event, in short.
fn tasks(directory: &Directory) -> Vec<String> {
    let Some((_, open)) = directory.open().last() else { return Vec::new() };
    open.tasks.iter().map(short).collect()
}

/// A task in short.
fn short(task: &ListTask) -> String {
    match task {
        ListTask::Change { list, join, .. } => format!("{}{list}", if *join { '+' } else { '-' }),
        ListTask::Move { list, from } => format!("{list}<{}", from.0),
        ListTask::Restock(fact) => format!("!{}", fact.list),
    }
}
