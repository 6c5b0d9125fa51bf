//! Performs the scheduler's effects: records to the log, questions to lists and directory, letters to workers.

use super::super::ack::AckGuard;
use super::super::delivery::{CampaignTemplate, Job, Work};
use super::super::messages::{AudiencePage, DirectoryMessage, ListMessage, SupervisorMessage};
use super::super::reply::Reply;
use super::*;
use restockd_core::campaign::Header;
use restockd_core::directory::DirectoryCommand;
use restockd_core::scheduler::{Notice, Start};
use restockd_core::{ListId, Millis};

impl CampaignState {
    /// Performs one effect; its immediate result, if any, goes back into the scheduler.
    pub(super) fn perform(
        &mut self,
        context: &Context,
        effect: Effect,
        asker: Option<&AckGuard>,
        at: Millis,
    ) -> Option<Input> {
        match effect {
            Effect::Record { seq, event, asked, along } => {
                let record = Self::encode(context, seq, &event, at);
                self.append_held(context);
                match asker.filter(|_| asked) {
                    Some(ack) => context.append(record, ack.split()),
                    // Nobody may be told of it until the record that belongs with it is appended.
                    None if along => self.held = Some(record),
                    None => context.append_quiet(record),
                }
            }
            Effect::Fence => asker.into_iter().for_each(|ack| context.barrier(ack.split())),
            Effect::Start { seq, event, letter } => {
                let record = Self::encode(context, seq, &event, at);
                self.append_held(context);
                self.start(context, record, *letter);
            }
            Effect::Connect { worker } => self.hand(context, worker, Work::Connect),
            Effect::TryTemplate { campaign, first } => {
                let result = self.template(context, campaign)?.try_out(context, campaign, &first);
                return Some(Input::TemplateTried { campaign, result });
            }
            Effect::KeyTaken(header) => return Some(Input::Beside(beside_key_holder(context, *header))),
            Effect::Fetch { campaign, list, rows } => {
                context.mailboxes.directory.send(DirectoryMessage::LookUp(campaign, list, rows));
            }
            Effect::Invite { campaign, list, most } => {
                to_list(context, list, ListMessage::Invite(campaign, most));
            }
            Effect::InvitePage { campaign, list, after, upto, most, since } => {
                let page = AudiencePage { campaign, list, after, upto, most, since };
                context.mailboxes.directory.send(DirectoryMessage::Page(page));
            }
            Effect::InviteAgain { campaign, list } => {
                to_list(context, list, ListMessage::InviteAgain(campaign));
            }
            Effect::Begin { campaign, list, everybody: true } => {
                context.mailboxes.directory.send(DirectoryMessage::BeginEverybody(campaign, list));
            }
            Effect::Begin { campaign, list, everybody: false } => {
                to_list(context, list, ListMessage::Begin { campaign, everybody: None });
            }
            Effect::Close { campaign, list, upto } => {
                self.templates.remove(&campaign);
                to_list(context, list, ListMessage::Close(campaign, upto));
            }
            Effect::Leave { person, list } => {
                self.append_held(context);
                context.mailboxes.directory.send(DirectoryMessage::LeaveAfterSend(person, list));
            }
            Effect::Bounced { person, address, diagnostic } => {
                // Nobody waits for this; after a crash the next letter to the address reports it again.
                let ask = DirectoryCommand::Bounced(person, address, diagnostic);
                context.mailboxes.directory.send(DirectoryMessage::Command(vec![ask], Reply::detached()));
            }
            Effect::Alarm(then) => {
                self.alarm += 1;
                context.mailboxes.ring_at(then, self.alarm);
            }
            Effect::Say(news) => log_notice(&news),
            Effect::Stopped => {
                self.append_held(context);
                // The caller may have gone away.
                self.stopping.take().into_iter().for_each(|reply| _ = reply.send(()));
            }
            // The step has taken it out already.
            Effect::Answer(_) => {}
        }
        None
    }

    /// Starts a letter: its record goes to the log first, and the worker gets the promise of it.
    fn start(&mut self, context: &Context, record: Encoded, letter: Start) {
        let (durable, gate) = oneshot::channel();
        context.append(record, AckGuard::new(move |all| _ = durable.send(all)));
        let Some(template) = self.template(context, letter.campaign) else { return };
        let Start { campaign, worker, recipient, email, date } = letter;
        self.hand(context, worker, Work::Deliver(Job { campaign, template, recipient, email, gate, date }));
    }

    /// Hands work to a worker, which is free: otherwise the scheduler would not ask.
    fn hand(&self, context: &Context, worker: usize, work: Work) {
        let taken = self.workers.get(worker).is_some_and(|to| to.try_send(work).is_ok());
        if !taken {
            context.fatal.end("a worker that was free takes nothing");
        }
    }

    /// The shared part of a campaign's letters; made on first use.
    fn template(&mut self, context: &Context, id: CampaignId) -> Option<Arc<CampaignTemplate>> {
        if let Some(known) = self.templates.get(&id) {
            return Some(Arc::clone(known));
        }
        let header = &self.scheduler.campaigns().get(id)?.header;
        let made = Arc::new(CampaignTemplate::new(context, header));
        self.templates.insert(id, Arc::clone(&made));
        Some(made)
    }
}

/// A rule campaign whose key is held by a campaign of another list: it opens under an id of its own.
fn beside_key_holder(context: &Context, header: Header) -> Header {
    tracing::warn!(campaign.key = header.key, "the rule's key is taken by another list; it opens its own");
    let key = format!("{}#{}", header.key.unwrap_or_default(), header.list);
    Header { id: context.secrets.campaign(&key), key: Some(key), day: None, ..header }
}

/// Logs a notice for the operator.
fn log_notice(news: &Notice) {
    match news {
        Notice::Slowed { provider, per_minute } => {
            tracing::warn!(
                mail.provider = provider,
                per_minute,
                "a provider asks for less; its mail is slowed"
            );
        }
        Notice::Ceiling { provider, ceiling, until } => tracing::warn!(
            mail.provider = provider,
            per_day = ceiling,
            until = %until,
            "a provider has had its letters of the day; the others to it wait until midnight (UTC)"
        ),
        Notice::Template { campaign, why } => {
            tracing::error!(campaign.id = %campaign, reason = why, "the campaign's template does not render");
        }
    }
}

/// Sends a message to a list through the supervisor.
fn to_list(context: &Context, list: ListId, message: ListMessage) {
    context.mailboxes.supervisor.send(SupervisorMessage::ToList(list, message));
}
