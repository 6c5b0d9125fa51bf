//! The Engine's calls about campaigns.

use super::super::messages::{Asked, CreateRefusal};
use super::*;
use restockd_core::CampaignId;
use restockd_core::campaign::{Campaign, CampaignRefusal, Campaigns, SkipReason};
use restockd_core::scheduler::{Created, ProviderReport, Scheduler, Tick};

impl Engine {
    /// Creates a campaign; a repeat of its key answers with the campaign there is.
    ///
    /// # Errors
    /// When the list or the template is unknown, or `sendAt` lies in the past.
    pub async fn create_campaign(&self, input: CampaignInput) -> EngineResult<CampaignCreated> {
        let context = &self.0.context;
        let list = self.find_list(&input.list)?;
        let CampaignInput { name, template, subject, props, from, on_doubt, max_age, send_at, .. } = input;
        let key = input.key.filter(|key| !key.is_empty());
        let id = match &key {
            Some(key) => context.secrets.campaign(key),
            None => CampaignId(random()?),
        };
        let product = if name.is_none() { self.product(&list).await? } else { None };
        let asked = Asked {
            id,
            key,
            name,
            product,
            list,
            template,
            subject,
            props,
            from,
            on_doubt,
            max_age,
            send_at,
        };
        let permit = self.admit().await?;
        let (reply, answer) = Reply::new(permit);
        context.mailboxes.campaign.send(CampaignMessage::Create(Box::new(asked), reply));
        match self.answered(answer).await? {
            Ok(Created { status, scheduled, mismatch }) => {
                let status = status.as_str().to_owned();
                Ok(CampaignCreated { id, status, scheduled_at: scheduled, mismatch })
            }
            Err(CreateRefusal::UnknownTemplate(template)) => {
                Err(RequestRefusal::UnknownTemplate(template).into())
            }
            Err(CreateRefusal::SendAtPast(at)) => Err(RequestRefusal::SendAtPast(at).into()),
        }
    }

    /// Whether the configuration gives a list a template, so that a campaign on it need not name one.
    #[must_use]
    pub fn has_template(&self, list: &str) -> bool {
        let catalog = &self.0.context.catalog;
        catalog.find(list).is_some_and(|list| catalog.presentation(&list).template.is_some())
    }

    /// One campaign, with what its letters wait for.
    ///
    /// # Errors
    /// When there is no such campaign.
    pub async fn campaign(&self, id: &str) -> EngineResult<CampaignView> {
        let unknown = || RequestRefusal::UnknownCampaign(id.to_owned());
        let id = CampaignId::parse(id).ok_or_else(unknown)?;
        let now = Tick { at: self.now(), room: self.0.context.log.room() };
        let found = self.ask_scheduler(move |scheduler| {
            let view = view(scheduler.campaigns().get(id)?);
            Some(CampaignView { held: scheduler.held(id, now), ..view })
        });
        found.await?.ok_or_else(|| unknown().into())
    }

    /// Campaigns, newest first, and whether there are more.
    pub async fn campaigns(&self, query: CampaignsQuery) -> EngineResult<(Vec<CampaignView>, bool)> {
        self.ask_campaigns(move |campaigns| {
            let wanted = |c: &&Campaign| {
                query.status.is_empty() || query.status.iter().any(|s| s == c.status.as_str())
            };
            let mut found = campaigns.newest().filter(wanted).skip(query.offset);
            let page = found.by_ref().take(query.limit.clamp(1, 200)).map(view).collect();
            (page, found.next().is_some())
        })
        .await
    }

    /// Carries out a command on one campaign, and answers with the campaign as it is then.
    ///
    /// # Errors
    /// When there is no such campaign, or its status does not allow the command.
    pub async fn campaign_command(&self, id: &str, verb: CampaignVerb) -> EngineResult<CampaignView> {
        let campaign = CampaignId::parse(id).ok_or_else(|| RequestRefusal::UnknownCampaign(id.to_owned()))?;
        let permit = self.admit().await?;
        let (reply, answer) = Reply::new(permit);
        self.0.context.mailboxes.campaign.send(CampaignMessage::Command(campaign, verb, reply));
        match self.answered(answer).await? {
            Err(CampaignRefusal::Unknown) => Err(RequestRefusal::UnknownCampaign(id.to_owned()).into()),
            Err(CampaignRefusal::WrongStatus(status, verb)) => {
                Err(RequestRefusal::WrongStatus { status: status.as_str().to_owned(), verb }.into())
            }
            Ok(()) => self.campaign(id).await,
        }
    }

    /// The rate and the limits at which each receiving provider is mailed now.
    pub async fn providers(&self) -> EngineResult<Vec<ProviderReport>> {
        let at = self.now();
        self.ask_scheduler(move |scheduler| scheduler.providers(at)).await
    }

    /// What became of the letters of the person who has these numbers, for the export.
    pub(super) async fn letters_of(&self, numbers: Vec<PersonId>) -> EngineResult<Vec<LetterView>> {
        self.ask_campaigns(move |campaigns| {
            let letter = |campaign: &Campaign| {
                let (_, row) = numbers.iter().find_map(|person| campaign.ledger.find(*person))?;
                Some(LetterView {
                    campaign: campaign.header.id,
                    list: campaign.header.list.clone(),
                    state: row.state,
                    attempts: row.attempts,
                    at: Millis(campaign.created.0 + u64::from(row.at_s) * 1000),
                })
            };
            campaigns.newest().filter_map(letter).take(1000).collect()
        })
        .await
    }

    /// Runs a query on the campaigns.
    pub(super) async fn ask_campaigns<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Campaigns) -> T + Send + 'static,
    ) -> EngineResult<T> {
        self.ask_scheduler(move |scheduler| read(scheduler.campaigns())).await
    }

    /// Runs a query on the scheduler.
    async fn ask_scheduler<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Scheduler) -> T + Send + 'static,
    ) -> EngineResult<T> {
        let (reply, answer) = oneshot::channel();
        let read = Box::new(move |scheduler: &Scheduler| drop(reply.send(read(scheduler))));
        self.0.context.mailboxes.campaign.send(CampaignMessage::Read(read));
        self.answered(answer).await
    }
}

/// 128 random bits: the id of a campaign without a key.
fn random() -> EngineResult<u128> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|_| EngineError::Busy)?;
    Ok(u128::from_le_bytes(bytes))
}

/// A campaign as `api` shows it.
fn view(campaign: &Campaign) -> CampaignView {
    let header = &campaign.header;
    let counts = campaign.ledger.counts();
    let skipped = SkipReason::ALL.iter().zip(campaign.skipped()).filter(|(_, n)| *n > 0);
    CampaignView {
        id: header.id,
        name: header.name.clone(),
        status: campaign.status.as_str().to_owned(),
        list: header.list.clone(),
        template: header.template.clone(),
        subject: header.subject.clone(),
        from: header.from.clone(),
        total: campaign.total(),
        sent: counts.sent,
        failed: counts.failed,
        deferred: counts.deferred,
        in_doubt: counts.doubt,
        started: counts.started,
        pending: campaign.pending(),
        held: Vec::new(),
        skipped: skipped.map(|(reason, n)| (reason.as_str(), n)).collect(),
        rate: header.rate.map(|rate| rate.to_string()),
        max_age: header.max_age.map(|age| age.to_string()),
        scheduled_at: header.scheduled,
        canceled_at: campaign.canceled,
        started_at: campaign.started,
        completed_at: campaign.completed,
        created_at: campaign.created,
    }
}
