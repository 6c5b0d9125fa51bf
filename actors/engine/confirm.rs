//! The Engine's calls behind the link in a confirmation mail: which lists it would join, and joining them.

use super::super::directory::pending;
use super::super::messages::Click;
use super::*;
use restockd_core::directory::ConsentEvidence;

impl Engine {
    /// The lists that a confirmation link would join, with their names; changes nothing. Empty when they are joined
    /// already.
    ///
    /// # Errors
    /// When the link is forged, made for another purpose, out of date, or about somebody who is gone.
    pub async fn confirmation(&self, token: &str) -> EngineResult<Vec<(ListId, String)>> {
        let click = self.click(token, Vec::new(), ConsentEvidence::default())?;
        let context = Arc::clone(&self.0.context);
        let unconfirmed = self.ask_directory(move |directory| {
            directory.person(click.person)?;
            Some(pending(directory, &context, &click).collect::<Vec<_>>())
        });
        let unconfirmed = unconfirmed.await?.ok_or(RequestRefusal::BadLink)?;
        let catalog = &self.0.context.catalog;
        let named = |(list, product): (ListId, Option<Box<str>>)| {
            let name = catalog.name(&list, product.as_deref());
            (list, name)
        };
        Ok(unconfirmed.into_iter().map(named).collect())
    }

    /// Joins the lists that both the link covers and the page showed, and answers with those joined now. Empty when they
    /// were joined before.
    ///
    /// # Errors
    /// When the link is not valid, or the address has been suppressed meanwhile.
    pub async fn confirm(
        &self,
        token: &str,
        shown: Vec<String>,
        source: String,
    ) -> EngineResult<Vec<String>> {
        let unconfirmed = self.confirmation(token).await?;
        let names: Vec<String> = unconfirmed
            .into_iter()
            .filter(|(list, _)| shown.iter().any(|shown| shown == list.as_str()))
            .map(|(_, name)| name)
            .collect();
        let click = self.click(token, shown, ConsentEvidence { source, ..ConsentEvidence::default() })?;
        let permit = self.admit().await?;
        let (reply, answer) = Reply::new(permit);
        self.0.context.mailboxes.directory.send(DirectoryMessage::Click(click, reply));
        for outcome in self.answered(answer).await? {
            if let Some(trouble) = outcome.ok_or(EngineError::Busy)?.1.problem {
                return Err(people::refusal(trouble).into());
            }
        }
        Ok(names)
    }

    /// Verifies a link that is still in date.
    fn click(&self, token: &str, shown: Vec<String>, evidence: ConsentEvidence) -> EngineResult<Click> {
        let link = self.0.context.secrets.verify_confirming(token);
        let link = link.filter(|link| self.now() < link.until).ok_or(RequestRefusal::BadLink)?;
        let (person, address, round) = (link.person, link.address, link.round);
        Ok(Click { person, address, round, shown, evidence })
    }
}
