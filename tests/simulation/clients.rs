//! What shoppers, shops and the warehouse ask of the engine's door, and what they are told.
//!
//! A client of an address waits for each answer before it asks again. A request whose answer was lost may be sent
//! again, later and more than once, with the same key; so may one that was answered long ago.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll, Waker};

use restockd_core::{CampaignId, PersonId, ProductDetails, Sku};
use restockd_engine::api::{
    CampaignCreated, CampaignInput, CampaignVerb, ContactInput, EventAnswer, EventInput, EventRestock,
    Identity, InDoubtPolicy, PreferencesInput, PreferencesView, RestockAnswer, RestockInput,
};
use restockd_engine::token::Purpose;
use restockd_engine::{Engine, EngineError};

use crate::model::{Known, Model};
use crate::queues::Node;
use crate::words::{is_sold_out, name_said, quantity_said};
use crate::world::{SKUS, World, email, list_name};

/// What a client wants.
#[derive(Debug, Clone, PartialEq)]
pub enum Wish {
    /// A press or a leave, of several lists at once.
    Change {
        address: usize,
        bag: Vec<(usize, bool)>,
        key: Option<u64>,
    },
    /// All mail off or on again, by the preference page.
    Block {
        address: usize,
        on: bool,
    },
    Erase {
        address: usize,
    },
    /// Two addresses turn out to be one person.
    Unite {
        address: usize,
        other: usize,
    },
    /// A restock by webhook, or as an event.
    Restock {
        sku: usize,
        delivery: u64,
        event: bool,
    },
    /// A campaign by hand.
    Create {
        sku: usize,
        key: u64,
    },
    Command {
        campaign: CampaignId,
        verb: CampaignVerb,
    },
}

/// What the door answered.
#[derive(Debug)]
pub enum Told {
    Event(EventAnswer),
    Restock(RestockAnswer),
    Done,
    Page(PreferencesView),
    United,
    Created(CampaignCreated),
    Command,
}

type Answer = Pin<Box<dyn Future<Output = Result<Told, EngineError>>>>;

/// A request without an answer.
pub struct Pending {
    node: Node,
    pub wish: Wish,
    /// When it was asked.
    asked: u64,
    /// What it says of a product.
    words: Vec<usize>,
    answer: Answer,
}

impl Wish {
    /// The addresses whose client waits for the answer.
    fn addresses(&self) -> Vec<usize> {
        match self {
            Self::Change { address, .. } | Self::Block { address, .. } | Self::Erase { address } => {
                vec![*address]
            }
            Self::Unite { address, other } => vec![*address, *other],
            Self::Restock { .. } | Self::Create { .. } | Self::Command { .. } => Vec::new(),
        }
    }

    /// The key that makes it the same request when it is sent again.
    fn key(&self) -> Option<String> {
        match self {
            Self::Change { key: Some(key), .. } => Some(format!("press-{key}")),
            Self::Restock { sku, delivery, event } => Some(format!("restock-{sku}-{delivery}-{event}")),
            Self::Create { key, .. } => Some(format!("create-{key}")),
            _ => None,
        }
    }
}

impl World {
    /// A client asks something new, or something again.
    pub fn client(&mut self) {
        let wish = if self.dice.one_in(4) && !self.wishes.is_empty() {
            self.wishes[self.dice.below(self.wishes.len())].clone()
        } else {
            let Some(wish) = self.wish() else { return };
            wish
        };
        let busy = |of: &usize| self.pending.iter().any(|pending| pending.wish.addresses().contains(of));
        if !wish.addresses().iter().any(busy) {
            self.ask(wish);
        }
    }

    /// Something new to ask.
    fn wish(&mut self) -> Option<Wish> {
        let (address, sku) = (self.dice.below(crate::world::CLIENTS), self.dice.below(SKUS));
        Some(match self.dice.below(44) {
            0..26 => {
                let join = !self.dice.one_in(4);
                let mut bag = vec![(sku, join)];
                if self.dice.one_in(5) {
                    bag.push(((sku + 1) % SKUS, self.dice.one_in(2)));
                }
                let key = self.dice.one_in(2).then(|| self.number());
                Wish::Change { address, bag, key }
            }
            26..29 => Wish::Block { address, on: self.dice.one_in(2) },
            29 => Wish::Erase { address },
            30 => {
                // Only before the first campaign: afterwards nobody outside can say whose mail was whose.
                let other = self.dice.below(crate::world::CLIENTS);
                let early = self.campaigns_seen == 0;
                (early && other != address).then_some(Wish::Unite { address, other })?
            }
            31..39 => {
                let (delivery, event) = (self.number(), self.dice.one_in(3));
                Wish::Restock { sku, delivery, event }
            }
            39 => Wish::Create { sku, key: self.number() },
            _ => {
                let running = self.running.as_mut()?;
                let ids = running.campaigns(|all| all.newest().map(|c| c.header.id).collect::<Vec<_>>());
                let campaign = *ids.get(self.dice.below(ids.len()))?;
                let verbs = [
                    CampaignVerb::Pause,
                    CampaignVerb::Resume,
                    CampaignVerb::Resume,
                    CampaignVerb::Cancel,
                    CampaignVerb::RetryFailed,
                    CampaignVerb::ResendDoubt,
                    CampaignVerb::DropDoubt,
                ];
                Wish::Command { campaign, verb: verbs[self.dice.below(verbs.len())] }
            }
        })
    }

    /// Sends a request; the model hears that it was asked.
    pub fn ask(&mut self, wish: Wish) {
        let Some(engine) = self.running.as_ref().map(|running| running.engine.clone()) else { return };
        let Some(answer) = self.request(engine, &wish) else { return };
        let key = wish.key();
        if let Some(key) = &key {
            let now = self.clock.now().0;
            self.sent.entry(key.clone()).or_insert((0, now)).0 += 1;
        }
        self.say(|| format!("{wish:?} is asked"));
        before(&mut self.model, &wish);
        if let Wish::Command { campaign, verb: CampaignVerb::Cancel } = &wish {
            self.canceled.insert(campaign.0);
        }
        if key.is_some() && !self.wishes.contains(&wish) {
            self.wishes.push(wish.clone());
        }
        self.operations += 1;
        let node = Node::Client(self.number());
        let asked = self.clock.now().0;
        let words = self.words.says(&wish);
        self.pending.push(Pending { node, wish, asked, words, answer });
    }

    /// The door's future for a wish.
    fn request(&mut self, engine: Engine, wish: &Wish) -> Option<Answer> {
        Some(match wish.clone() {
            Wish::Change { address, bag, key } => {
                let product = key.and_then(name_said);
                let sku = bag.first().filter(|_| product.is_some()).map(|(sku, _)| format!("s{sku}"));
                let lists = bag.into_iter().map(|(sku, join)| (list_name(sku), join)).collect();
                let event = EventInput {
                    name: "press".to_owned(),
                    who: who(address),
                    lists,
                    key: key.map(|key| format!("press-{key}")),
                    sku: sku.as_deref().and_then(Sku::parse),
                    product,
                    ..EventInput::default()
                };
                Box::pin(async move { engine.ingest(event).await.map(Told::Event) })
            }
            Wish::Block { address, on } => {
                let person = self.person(address)?;
                let token = self.scene.secrets.sign(Purpose::Preferences, person, None);
                let form = PreferencesInput { unsubscribe_all: Some(on), ..PreferencesInput::default() };
                Box::pin(async move { engine.set_preferences(&token, form).await.map(Told::Page) })
            }
            Wish::Erase { address } => {
                self.person(address)?;
                Box::pin(async move { engine.erase(who(address)).await.map(|_| Told::Done) })
            }
            Wish::Unite { address, other } => {
                let input = |of: usize| ContactInput {
                    who: Identity { user_id: Some(format!("u{address}")), ..who(of) },
                    ..ContactInput::default()
                };
                let (one, two) = (input(address), input(other));
                Box::pin(async move {
                    engine.put_contact(one).await?;
                    engine.put_contact(two).await.map(|_| Told::United)
                })
            }
            Wish::Restock { sku, delivery, event: false } => {
                let input = RestockInput {
                    source: "inventory".to_owned(),
                    delivery: format!("d{delivery}"),
                    sku: Sku::parse(&format!("s{sku}"))?,
                    product: name_said(delivery),
                    quantity: quantity_said(delivery),
                    details: ProductDetails::default(),
                };
                Box::pin(async move { engine.restock(input).await.map(Told::Restock) })
            }
            Wish::Restock { sku, delivery, event: true } => {
                let event = EventInput {
                    name: "product.restocked".to_owned(),
                    sku: Some(Sku::parse(&format!("s{sku}"))?),
                    product: name_said(delivery),
                    restock: Some(EventRestock {
                        quantity: quantity_said(delivery),
                        ..EventRestock::default()
                    }),
                    key: Some(format!("d{delivery}")),
                    ..EventInput::default()
                };
                Box::pin(async move { engine.ingest(event).await.map(Told::Event) })
            }
            Wish::Create { sku, key } => {
                let input = CampaignInput {
                    // Without one the door asks for the product's name, which nobody answers here.
                    name: Some("news".to_owned()),
                    list: list_name(sku),
                    template: "announcement".to_owned(),
                    subject: Some("news".to_owned()),
                    key: Some(format!("create-{key}")),
                    on_doubt: InDoubtPolicy::Hold,
                    ..CampaignInput::default()
                };
                Box::pin(async move { engine.create_campaign(input).await.map(Told::Created) })
            }
            Wish::Command { campaign, verb } => {
                let id = campaign.to_string();
                Box::pin(async move { engine.campaign_command(&id, verb).await.map(|_| Told::Command) })
            }
        })
    }

    /// Who an address is now, to the directory.
    pub fn person(&mut self, address: usize) -> Option<PersonId> {
        let email = email(address);
        self.running.as_mut()?.directory(move |directory| directory.by_email(&email))
    }

    /// Looks which answers have come.
    pub fn listen(&mut self) {
        let mut waker = TaskContext::from_waker(Waker::noop());
        let mut at = 0;
        while at < self.pending.len() {
            let pending = &mut self.pending[at];
            if let Some(running) = &self.running {
                running.speaks(pending.node.clone());
            }
            match pending.answer.as_mut().poll(&mut waker) {
                Poll::Pending => at += 1,
                Poll::Ready(told) => {
                    let Pending { wish, asked, words, .. } = self.pending.remove(at);
                    match told {
                        Ok(told) => {
                            let once = wish.key().is_none_or(|key| self.sent[&key].0 == 1);
                            self.words.heard(&words, &wish, &told, once);
                            self.told(&wish, told, asked);
                        }
                        Err(EngineError::Refused(_)) => self.refusals += 1,
                        Err(EngineError::Lost | EngineError::DiskFull | EngineError::Busy) => self.lost += 1,
                        Err(other) => panic!("{wish:?}: {other}"),
                    }
                }
            }
        }
    }

    /// A client is told that it is done: from here on it must hold, whatever happens.
    fn told(&mut self, wish: &Wish, told: Told, asked: u64) {
        self.acknowledged += 1;
        self.say(|| format!("{wish:?} is answered: {told:?}"));
        match (wish, told) {
            (Wish::Change { address, bag, .. }, Told::Event(answer)) => {
                for (sku, join) in bag {
                    let known = match (join, &answer.lists_error) {
                        (true, None) => Known::Yes,
                        // Who takes no mail is told that the press changed nothing.
                        (true, Some(_)) => Known::Unsure,
                        (false, _) => Known::No,
                    };
                    self.model.told(*address, *sku, known);
                }
                if let Some(key) = wish.key() {
                    self.count(key, answer.stored, asked);
                }
            }
            (Wish::Block { address, .. }, Told::Page(page)) => {
                self.model.told_block(*address, page.unsubscribed_all || page.suppressed);
            }
            (Wish::Erase { address }, Told::Done) => {
                (0..SKUS).for_each(|sku| self.model.told(*address, sku, Known::Never));
            }
            (Wish::Restock { sku, delivery, .. }, Told::Restock(answer)) => {
                let (new, campaign) = match answer {
                    RestockAnswer::Accepted { campaign } => (true, campaign),
                    RestockAnswer::Duplicate { campaign } => (false, campaign),
                    RestockAnswer::SoldOut => {
                        assert!(is_sold_out(*delivery), "{wish:?}: sold out");
                        return;
                    }
                };
                let campaign = campaign.map(|campaign| campaign.0);
                self.model.told_restock(*sku, u128::from(*delivery), campaign);
                self.count(wish.key().unwrap(), new, asked);
                self.must_be_there(campaign);
            }
            (Wish::Restock { sku, delivery, .. }, Told::Event(answer)) => {
                self.model.told_restock(*sku, u128::from(*delivery), None);
                self.count(wish.key().unwrap(), answer.stored, asked);
            }
            (Wish::Create { .. }, Told::Created(made)) => {
                self.created.insert(made.id);
            }
            (Wish::Unite { .. }, Told::United) | (Wish::Command { .. }, Told::Command) => {}
            (wish, _) => panic!("{wish:?}: another answer"),
        }
    }

    /// An answer to a request with a key.
    fn count(&mut self, key: String, new: bool, asked: u64) {
        let (times, first) = self.sent.get(&key).copied().unwrap_or_default();
        let repeated = times > 1;
        // A repeat says that it was accepted before, at some time since it was first asked.
        let asked = if new { asked } else { first };
        self.model.counted(&key, new, repeated, asked, self.clock.now().0);
    }

    /// A restock's campaign is there to read when its answer is.
    fn must_be_there(&mut self, campaign: Option<u128>) {
        if let (Some(campaign), Some(running)) = (campaign, &mut self.running) {
            assert!(running.campaigns(move |all| all.get(CampaignId(campaign)).is_some()));
        }
    }
}

/// The model hears that something was asked.
fn before(model: &mut Model, wish: &Wish) {
    match wish {
        Wish::Change { address, bag, .. } => {
            bag.iter().for_each(|(sku, join)| model.asks(*address, *sku, *join));
        }
        Wish::Block { address, .. } => model.asks_block(*address),
        Wish::Erase { address } => (0..SKUS).for_each(|sku| model.asks(*address, sku, false)),
        Wish::Unite { address, other } => [address, other].into_iter().for_each(|of| model.muddle(*of, SKUS)),
        Wish::Restock { delivery, .. } if is_sold_out(*delivery) => {}
        Wish::Restock { sku, delivery, .. } => model.restocks(*sku, u128::from(*delivery)),
        Wish::Command { campaign, verb: CampaignVerb::ResendDoubt } => model.resends(campaign.0),
        Wish::Command { campaign, verb: CampaignVerb::DropDoubt } => model.gives_up(campaign.0),
        Wish::Create { .. } | Wish::Command { .. } => {}
    }
}

fn who(address: usize) -> Identity {
    Identity { email: Some(email(address)), ..Identity::default() }
}
