//! The Engine's calls behind the links in mails: what a token is about, and what its bearer may change.

use super::people::refusal;
use super::*;
use crate::token::Purpose;
use restockd_core::directory::{DirectoryCommand, Undeliverable};

/// Lists that a preference page shows at most.
const ROWS_MAX: usize = 1000;

impl Engine {
    /// The list of an unsubscribe link, and whether the person is still on it; changes nothing.
    ///
    /// # Errors
    /// When the link is forged, made for another purpose, or about somebody who is gone.
    pub async fn link(&self, token: &str) -> EngineResult<LinkView> {
        let (person, list) = self.read_link(Purpose::Unsubscribe, token).await?;
        let unsubscribed = self.undeliverable(person).await? == Some(Undeliverable::Unsubscribed);
        Ok(match list {
            None => LinkView { list: None, subscribed: !unsubscribed },
            Some(list) => {
                let subscribed = !unsubscribed && self.subscribed(&list, person).await?;
                let name = self.list_name(&list).await?;
                LinkView { list: Some((list, name)), subscribed }
            }
        })
    }

    /// Leaves the link's list. With `all`, or when the link is for all mail, the person gets no mail at all from now on.
    ///
    /// # Errors
    /// When the link is not valid.
    pub async fn unsubscribe(&self, token: &str, all: bool) -> EngineResult<LinkView> {
        let (person, list) = self.read_link(Purpose::Unsubscribe, token).await?;
        match list {
            Some(list) if !all => {
                self.set_lists(person, ChangeSource::Link, vec![(list.as_str().to_owned(), false)]).await?;
            }
            _ => {
                self.set_all(person, true).await?;
            }
        }
        self.link(token).await
    }

    /// The lists and the status that a preference page shows.
    ///
    /// # Errors
    /// When the link is not valid.
    pub async fn preferences(&self, token: &str) -> EngineResult<PreferencesView> {
        let (person, _) = self.read_link(Purpose::Preferences, token).await?;
        let own: Vec<ListId> =
            self.ask_directory(move |d| d.lists_of(person).take(ROWS_MAX).cloned().collect()).await?;
        let declared = self.0.context.catalog.iter().filter(|(_, declared)| declared.default_opt_in);
        let declared: Vec<ListId> =
            declared.map(|(id, _)| id.clone()).filter(|id| !own.contains(id)).collect();
        let mut rows = Vec::new();
        for list in own.into_iter().chain(declared) {
            let subscribed = self.subscribed(&list, person).await?;
            let name = self.list_name(&list).await?;
            rows.push((list, name, subscribed));
        }
        let undeliverable = self.undeliverable(person).await?;
        let (unsubscribed_all, suppressed) = (
            undeliverable == Some(Undeliverable::Unsubscribed),
            undeliverable == Some(Undeliverable::Suppressed),
        );
        Ok(PreferencesView { rows, unsubscribed_all, suppressed })
    }

    /// Carries out a preference page's form.
    ///
    /// # Errors
    /// When the link is not valid.
    pub async fn set_preferences(
        &self,
        token: &str,
        form: PreferencesInput,
    ) -> EngineResult<PreferencesView> {
        let (person, _) = self.read_link(Purpose::Preferences, token).await?;
        if let Some(all) = form.unsubscribe_all {
            self.set_all(person, all).await?;
        }
        let before = self.preferences(token).await?;
        let shown = |id: &str| form.shown.iter().any(|shown| shown == id);
        let kept = |id: &str| form.kept.iter().any(|kept| kept == id);
        let changes = before
            .rows
            .iter()
            .filter(|(id, _, subscribed)| shown(id.as_str()) && kept(id.as_str()) != *subscribed);
        let bag: Vec<(String, bool)> =
            changes.map(|(id, _, subscribed)| (id.as_str().to_owned(), !*subscribed)).collect();
        if !bag.is_empty() {
            match self.set_lists(person, ChangeSource::Page, bag).await {
                // Leaving was carried out and joining was refused: the page shows what holds now.
                Ok(()) | Err(EngineError::Refused(RequestRefusal::Suppressed)) => {}
                Err(error) => return Err(error),
            }
        }
        self.preferences(token).await
    }

    /// The person of a verified link (by their present number) and the link's list.
    async fn read_link(&self, purpose: Purpose, token: &str) -> EngineResult<(PersonId, Option<ListId>)> {
        let link = self.0.context.secrets.verify(purpose, token).ok_or(RequestRefusal::BadLink)?;
        let live = self.ask_directory(move |d| d.person(link.person).map(|(id, _)| id)).await?;
        Ok((live.ok_or(RequestRefusal::BadLink)?, link.list))
    }

    /// Why a person gets no mail at all; `None` when they do.
    async fn undeliverable(&self, person: PersonId) -> EngineResult<Option<Undeliverable>> {
        let secrets = self.0.context.secrets.clone();
        self.ask_directory(move |directory| {
            let held = directory.person(person).and_then(|(_, held)| held.email.as_ref());
            let address = held.map(|email| secrets.address(email));
            directory.undeliverable(person, address)
        })
        .await
    }

    /// Joins and leaves lists for a person who is known by number.
    async fn set_lists(
        &self,
        person: PersonId,
        how: ChangeSource,
        bag: Vec<(String, bool)>,
    ) -> EngineResult<()> {
        let permit = self.admit().await?;
        let (reply, answer) = Reply::new(permit);
        let mailboxes = &self.0.context.mailboxes;
        mailboxes.directory.send(DirectoryMessage::Memberships { person, how, bag, reply });
        match self.answered(answer).await?.ok_or(EngineError::Busy)?.1.problem {
            None => Ok(()),
            Some(trouble) => Err(refusal(trouble).into()),
        }
    }

    /// With `on`, the person wants no mail at all; without, they want mail again. Answers whether that is a change.
    async fn set_all(&self, person: PersonId, on: bool) -> EngineResult<bool> {
        let permit = self.admit().await?;
        let secrets = self.0.context.secrets.clone();
        let address = self
            .ask_directory(move |directory| {
                let (_, held) = directory.person(person)?;
                held.email.as_ref().map(|email| secrets.address(email))
            })
            .await?;
        self.change(DirectoryCommand::Unsubscribe(person, address, on), permit).await
    }
}
