//! The Engine's calls about lists: pages, details, members, positions.

use super::super::messages::SummaryOrRead;
use super::people::contact_view;
use super::*;
use restockd_core::list::ListSummary;

/// A cursor is the part that the page's last row stood in, and that row's list id. This part: the person's own lists.
const OWN: &str = "own:";
/// The part after the person's own lists.
const OTHERS: &str = "all:";

impl Engine {
    /// A page of lists. With a person, their own lists come first and each row says whether they are on it.
    ///
    /// # Errors
    /// When no page ended with the cursor.
    pub async fn lists(&self, query: ListsQuery) -> EngineResult<ListsPage> {
        let limit = query.limit.clamp(1, 1000);
        let person = match query.who {
            Some(who) => Some(self.live(who).await?.map(|(id, _)| id)),
            None => None,
        };
        let mut own = match person.flatten() {
            Some(id) => self.ask_directory(move |d| d.lists_of(id).cloned().collect::<Vec<_>>()).await?,
            None => Vec::new(),
        };
        own.sort_unstable();
        let (own_done, after) = page_start(query.cursor.as_deref())?;
        let first = match &after {
            _ if own_done => own.len(),
            None => 0,
            Some(after) => own.partition_point(|id| id <= after),
        };
        let after = after.filter(|_| own_done);
        let mut ids: Vec<ListId> = own.iter().skip(first).take(limit).cloned().collect();
        let own_shown = first + ids.len();
        let rest = self.ids_after(after, limit + own.len() + 1).await?;
        let mut rest = rest.into_iter().filter(|id| own.binary_search(id).is_err()).peekable();
        while ids.len() < limit
            && let Some(id) = rest.next()
        {
            ids.push(id);
        }
        let more = own_shown < own.len() || rest.peek().is_some();
        let cursor = ids.last().filter(|_| more).map(|last| {
            let part = if own.binary_search(last).is_ok() { OWN } else { OTHERS };
            format!("{part}{last}")
        });
        let summaries = self.summaries(ids.clone()).await?;
        let mut lists = Vec::with_capacity(ids.len());
        for (id, summary) in ids.into_iter().zip(summaries) {
            let mut view = self.list_view(&id, summary.as_ref());
            if let Some(person) = person {
                view.subscribed = Some(match person {
                    Some(person) if own.binary_search(&id).is_ok() => self.subscribed(&id, person).await?,
                    _ => view.default_opt_in,
                });
            }
            lists.push(view);
        }
        Ok(ListsPage { lists, cursor })
    }

    /// # Errors
    /// When the list is neither declared nor the list of a SKU.
    pub async fn list(&self, id: &str) -> EngineResult<ListDetail> {
        let list = self.find_list(id)?;
        let summary = self.summaries(vec![list.clone()]).await?.pop().flatten();
        let view = self.list_view(&list, summary.as_ref());
        Ok(match summary {
            None => ListDetail { view, left: 0, stock: None, product: None, running: Vec::new() },
            Some(summary) => ListDetail {
                view,
                left: u64::from(summary.left),
                stock: summary.stock,
                product: summary.product,
                running: summary.running,
            },
        })
    }

    /// Members in join order, those with an ordinal above `after`.
    ///
    /// # Errors
    /// When the list is unknown.
    pub async fn members(&self, id: &str, after: Option<u32>, limit: usize) -> EngineResult<MembersPage> {
        let list = self.find_list(id)?;
        let limit = limit.clamp(1, 1000);
        let after = after.unwrap_or(0);
        let (rows, ahead, total) = self
            .ask_list(list, move |list| {
                let rows: Vec<_> = list.members(after).take(limit + 1).cloned().collect();
                let ahead = if after == 0 { 0 } else { list.joined() as usize - list.members(after).count() };
                (rows, ahead as u64, u64::from(list.joined()))
            })
            .await?;
        let cursor =
            (rows.len() > limit).then(|| rows.get(limit - 1).map(|row| row.ordinal.to_string())).flatten();
        let members = self
            .ask_directory(move |directory| {
                let rows = (1u64..).zip(rows.into_iter().take(limit));
                let view = |(n, row): (u64, restockd_core::list::Membership)| {
                    let (id, person) = directory.person(row.person)?;
                    let contact = contact_view(id, person);
                    Some(MemberView {
                        id,
                        external_id: contact.external_id,
                        email: contact.email,
                        position: ahead + n,
                        joined: row.joined,
                    })
                };
                rows.filter_map(view).collect()
            })
            .await?;
        Ok(MembersPage { members, cursor, total })
    }

    /// A person's place in line, counted from 1.
    ///
    /// # Errors
    /// When the list or the person is unknown, or the person is not on the list.
    pub async fn position(&self, id: &str, who: Identity) -> EngineResult<Position> {
        let list = self.find_list(id)?;
        let (person, _) = self.live(who).await?.ok_or(RequestRefusal::NotOnList)?;
        let found = self
            .ask_list(list, move |list| {
                let (position, joined) = list.position(person)?;
                Some(Position { position, total: u64::from(list.joined()), joined })
            })
            .await?;
        found.ok_or_else(|| RequestRefusal::NotOnList.into())
    }

    /// Whether a person is on a list, by the same rule as for a campaign's audience.
    pub(super) async fn subscribed(&self, list: &ListId, person: PersonId) -> EngineResult<bool> {
        let default_opt_in = self.0.context.catalog.default_opt_in(list);
        self.ask_list(list.clone(), move |list| list.subscribed(person).unwrap_or(default_opt_in)).await
    }

    /// Reads the id of a list that is declared or belongs to a SKU.
    pub(super) fn find_list(&self, id: &str) -> EngineResult<ListId> {
        let found = self.0.context.catalog.find(id);
        found.ok_or_else(|| RequestRefusal::UnknownList(id.to_owned()).into())
    }

    /// A list's name, which holds the product's name as last given.
    pub(super) async fn list_name(&self, list: &ListId) -> EngineResult<String> {
        let product = self.product(list).await?;
        Ok(self.0.context.catalog.name(list, product.as_deref()))
    }

    /// The product's name as last given to the list.
    pub(super) async fn product(&self, list: &ListId) -> EngineResult<Option<String>> {
        let summary = self.summaries(vec![list.clone()]).await?.pop().flatten();
        Ok(summary.and_then(|summary| summary.product))
    }

    /// Ids after the given one; declared lists are among them even when nobody has joined them yet.
    async fn ids_after(&self, after: Option<ListId>, most: usize) -> EngineResult<Vec<ListId>> {
        let (reply, answer) = oneshot::channel();
        self.0.context.mailboxes.supervisor.send(SupervisorMessage::Names(after.clone(), most, reply));
        let mut ids = self.answered(answer).await?;
        let declared = self.0.context.catalog.iter().map(|(id, _)| id);
        ids.extend(declared.filter(|id| after.as_ref().is_none_or(|after| *id > after)).cloned());
        ids.sort();
        ids.dedup();
        ids.truncate(most);
        Ok(ids)
    }

    /// Summaries of lists, without waking any of them.
    pub(super) async fn summaries(&self, ids: Vec<ListId>) -> EngineResult<Vec<Option<ListSummary>>> {
        let (reply, answer) = oneshot::channel();
        self.0.context.mailboxes.supervisor.send(SupervisorMessage::Summaries(ids, reply));
        let mut summaries = Vec::new();
        for one in self.answered(answer).await? {
            summaries.push(match one {
                SummaryOrRead::Now(summary) => summary,
                SummaryOrRead::Soon(answer) => Some(self.answered(answer).await?),
            });
        }
        Ok(summaries)
    }

    fn list_view(&self, id: &ListId, summary: Option<&ListSummary>) -> ListView {
        let catalog = &self.0.context.catalog;
        let product = summary.and_then(|summary| summary.product.as_deref());
        ListView {
            id: id.clone(),
            name: catalog.name(id, product),
            description: catalog.declared(id).and_then(|declared| declared.description.clone()),
            default_opt_in: catalog.default_opt_in(id),
            members: summary.map_or(0, |summary| u64::from(summary.joined)),
            subscribed: None,
        }
    }
}

/// Reads a cursor: whether the person's own lists are done, and the id to go on after.
fn page_start(cursor: Option<&str>) -> EngineResult<(bool, Option<ListId>)> {
    let Some(cursor) = cursor else { return Ok((false, None)) };
    let (own_done, id) = match (cursor.strip_prefix(OWN), cursor.strip_prefix(OTHERS)) {
        (Some(id), _) => (false, id),
        (_, Some(id)) => (true, id),
        (None, None) => return Err(RequestRefusal::BadCursor.into()),
    };
    let id = ListId::parse(id).ok_or(RequestRefusal::BadCursor)?;
    Ok((own_done, Some(id)))
}
