//! Proofs on record: which of them serve an order, and what becomes of them when they are dropped.
//!
//! A proof serves the order it was obtained for, its later certificates and its renewals. More is the reseller's
//! choice, which an operator sets: the orders of one customer, or all orders of the reseller.

use chancery_domain::Timestamp;
use chancery_domain::authorizations::{
    Authorization, ProofId, RecordedProof, put_most_useful_first,
};
use chancery_domain::events::{Actor, Event, EventKind};
use chancery_domain::fields::{Field, FieldError};
use chancery_domain::issuances::Issuance;
use chancery_domain::names::DomainName;
use chancery_domain::operators::ActKind;
use chancery_domain::orders::{Order, OrderId};
use chancery_domain::prevalidations::PrevalidationId;
use chancery_domain::resellers::{ProofScope, Reseller, ResellerId};
use chancery_domain::validity::{ValidityRules, days};
use chancery_store::authorizations::{Holder, ProofFilter};
use chancery_store::{Change, Sequence, Store, StoreError};
use futures_util::{StreamExt, TryStreamExt, stream};

use crate::prevalidations::{DomainReport, LISTED, discard, no_such_domain, report_on};
use crate::{App, AppError, Noun, Operations, PARALLEL_READS, jobs};

/// Which proofs are to be listed.
#[derive(Clone, Debug, Default)]
pub struct ProofAsked {
    /// Those of the registered domain of this name.
    pub domain: Option<String>,
    /// Those of an order.
    pub order: Option<OrderId>,
    /// Those on record before this one.
    pub before: Option<ProofId>,
}

impl App {
    /// A reseller's proofs that may be used, the newest first, with until when; at most 500.
    pub async fn proofs(
        &self,
        reseller: &Reseller,
        asked: ProofAsked,
    ) -> Result<Vec<(RecordedProof, Timestamp)>, AppError> {
        let now = self.clock.now();
        listed(&self.store, &self.rules, reseller.id, asked, now).await
    }

    /// Has a proof used no more. Certificates that rest on it stay; what is still being validated on it is to be
    /// shown anew.
    pub async fn drop_proof(&self, reseller: &Reseller, id: ProofId) -> Result<(), AppError> {
        for _ in 0..jobs::CONFLICT_TRIES {
            let proof = proof_of(&self.store, reseller.id, id).await?;
            let (by, now) = (Actor::Reseller, self.clock.now());
            let mut change = Change::new();
            drop_proof(&self.store, &mut change, &proof, by, now).await?;
            match self.store.commit(change).await {
                Err(StoreError::Conflict { .. }) => {}
                Err(other) => return Err(other.into()),
                Ok(_) => return Ok(()),
            }
        }
        Err(AppError::Busy)
    }

    /// What is proved about the domains of these names and serves an order, fresh enough to be used today; first what
    /// also covers the name that comes along with the order. The order may be about to be placed.
    pub(crate) async fn held_proofs(
        &self,
        scope: ProofScope,
        order: &Order,
        names: &[DomainName],
    ) -> Result<Vec<Authorization>, AppError> {
        let now = self.clock.now();
        let since = now - days(self.rules.at(now).domain_reuse_days);
        let mut bases: Vec<DomainName> = names.iter().filter_map(DomainName::base_domain).collect();
        bases.sort_unstable();
        bases.dedup();
        let holders = holders(scope, order);
        let mut pairs = Vec::with_capacity(bases.len() * holders.len());
        for base in bases {
            pairs.extend(holders.iter().map(|holder| (*holder, base.clone())));
        }
        let reads = pairs.into_iter().map(|(holder, base)| async move {
            self.store.authorizations(holder, &base, since).await
        });
        let held: Vec<Vec<Authorization>> = stream::iter(reads)
            .buffer_unordered(PARALLEL_READS)
            .try_collect()
            .await?;
        let mut held: Vec<Authorization> = held.into_iter().flatten().collect();
        put_most_useful_first(&mut held, self.free_name(order).as_ref());
        Ok(held)
    }

    /// Whom a reseller's proofs serve, for work that nobody asked for just now.
    pub(crate) async fn proof_scope(&self, reseller: ResellerId) -> Result<ProofScope, AppError> {
        let found = self.store.reseller(reseller).await?;
        Ok(found.map_or(ProofScope::Order, |reseller| reseller.settings.proof_scope))
    }

    /// Forgets the proofs of a run being validated that may not be used any more: grown too old, dropped, or taken over
    /// from whom they would not be taken over today. Tells whose names they are.
    pub(crate) async fn unusable_proofs(
        &self,
        order: &Order,
        issuance: &mut Issuance,
        now: Timestamp,
    ) -> Result<Vec<DomainName>, AppError> {
        let mut forgotten = issuance.forget_stale(&self.rules, now);
        let proofs = issuance.rests_on();
        if !proofs.is_empty() {
            let scope = self.proof_scope(order.reseller).await?;
            let run = (order.reseller, issuance.id);
            let holders = holders(scope, order);
            let usable = self.store.serving_proofs(run, &holders, &proofs).await?;
            forgotten.extend(issuance.forget_all_but(&usable));
        }
        Ok(forgotten)
    }

    /// Whether proofs that a certificate on record rests on were dropped, or have grown too old, before it is signed.
    pub(crate) async fn has_lost_proofs(
        &self,
        issuance: &Issuance,
        now: Timestamp,
    ) -> Result<bool, AppError> {
        if !issuance.clone().forget_stale(&self.rules, now).is_empty() {
            return Ok(true);
        }
        let proofs = issuance.rests_on();
        let dropped = (self.store.dropped_proofs(issuance.reseller, &proofs)).await?;
        Ok(proofs.iter().any(|proof| dropped.contains(proof)))
    }
}

/// Whose proofs serve an order.
fn holders(scope: ProofScope, order: &Order) -> Vec<Holder> {
    if scope == ProofScope::Reseller {
        return vec![Holder::Reseller(order.reseller)];
    }
    let mut holders = Vec::new();
    match (order.certificate, order.renews) {
        // Nothing can have been proved for it yet.
        (None, None) => {}
        // It may not be on record yet.
        (None, Some(renewed)) => holders.push(Holder::Order(renewed)),
        (Some(_), _) => holders.push(Holder::Order(order.id)),
    }
    if scope == ProofScope::Customer {
        holders.push(Holder::CustomerOf(order.administrator));
    }
    if order.use_prevalidated {
        holders.push(Holder::Ahead(order.reseller));
    }
    holders
}

impl Operations {
    /// A reseller's proofs that may be used, the newest first, with until when; at most 500.
    pub async fn proofs(
        &self,
        reseller: ResellerId,
        asked: ProofAsked,
    ) -> Result<Vec<(RecordedProof, Timestamp)>, AppError> {
        self.reseller(reseller).await?;
        let now = self.clock.now();
        listed(&self.store, &self.vetting.rules, reseller, asked, now).await
    }

    /// Has a reseller's proof used no more.
    pub async fn drop_proof(&self, reseller: ResellerId, id: ProofId) -> Result<(), AppError> {
        for _ in 0..jobs::CONFLICT_TRIES {
            let proof = proof_of(&self.store, reseller, id).await?;
            let (by, now) = (Actor::Operator, self.clock.now());
            let mut change = Change::new();
            drop_proof(&self.store, &mut change, &proof, by, now).await?;
            let (kind, subject) = (ActKind::ProofDropped, format!("proof {id}"));
            let detail = Some(told(&proof));
            self.record_act(&mut change, kind, subject, Some(reseller), detail)
                .await?;
            match self.store.commit(change).await {
                Err(StoreError::Conflict { .. }) => {}
                Err(other) => return Err(other.into()),
                Ok(_) => return Ok(()),
            }
        }
        Err(AppError::Busy)
    }

    /// The domains that a reseller proves ahead of any order, the newest first; at most 500, before this one.
    pub async fn domains(
        &self,
        reseller: ResellerId,
        before: Option<PrevalidationId>,
    ) -> Result<Vec<DomainReport>, AppError> {
        self.reseller(reseller).await?;
        let held = self.store.prevalidations(reseller, before, LISTED).await?;
        let shown = self.store.prevalidated(reseller, None).await?;
        let (rules, now) = (&self.vetting.rules, self.clock.now());
        let report = |domain| report_on(domain, &shown, rules, now);
        Ok(held.into_iter().map(report).collect())
    }

    /// A domain, with what the latest look saw.
    pub async fn domain(
        &self,
        reseller: ResellerId,
        id: PrevalidationId,
    ) -> Result<DomainReport, AppError> {
        let found = self.store.prevalidation_of(reseller, id).await?;
        let domain = found.ok_or_else(|| no_such_domain(id))?;
        let shown = (self.store.prevalidated(reseller, Some(domain.domain()))).await?;
        Ok(DomainReport {
            observations: self.store.latest_observations(id).await?,
            ..report_on(domain, &shown, &self.vetting.rules, self.clock.now())
        })
    }

    /// Drops a domain: what was proved is not used any more.
    pub async fn drop_domain(
        &self,
        reseller: ResellerId,
        id: PrevalidationId,
    ) -> Result<(), AppError> {
        for _ in 0..jobs::CONFLICT_TRIES {
            let found = self.store.prevalidation_of(reseller, id).await?;
            let held = found.ok_or_else(|| no_such_domain(id))?;
            let detail = Some(held.domain().to_string());
            let mut change = Change::new();
            discard(&mut change, held, self.clock.now())?;
            let (kind, subject) = (ActKind::DomainDropped, format!("domain {id}"));
            self.record_act(&mut change, kind, subject, Some(reseller), detail)
                .await?;
            match self.store.commit(change).await {
                Err(StoreError::Conflict { .. }) => {}
                Err(other) => return Err(other.into()),
                Ok(_) => return Ok(()),
            }
        }
        Err(AppError::Busy)
    }
}

async fn listed(
    store: &Store,
    rules: &ValidityRules,
    reseller: ResellerId,
    asked: ProofAsked,
    now: Timestamp,
) -> Result<Vec<(RecordedProof, Timestamp)>, AppError> {
    let base = |text: String| {
        let name = DomainName::parse(&text).map_err(|error| {
            AppError::field(FieldError::invalid(Field::Domain, error.to_string()))
        })?;
        Ok::<_, AppError>(name.base_domain().unwrap_or_else(|| name.host()))
    };
    let filter = ProofFilter {
        base_domain: asked.domain.map(base).transpose()?,
        order: asked.order,
        since: Some(now - days(rules.at(now).domain_reuse_days)),
        before: asked.before,
    };
    let until = |proof: RecordedProof| {
        let until = rules.fresh_until(proof.proved.method, proof.proved.obtained_at);
        (proof, until)
    };
    let found = store.proofs(reseller, &filter, LISTED).await?;
    let with_until = found.into_iter().map(until);
    Ok(with_until.filter(|(_, until)| now < *until).collect())
}

async fn proof_of(
    store: &Store,
    reseller: ResellerId,
    id: ProofId,
) -> Result<RecordedProof, AppError> {
    let missing = || AppError::NotFound {
        what: Noun::Proof,
        id: id.to_string(),
    };
    store.proof(reseller, id).await?.ok_or_else(missing)
}

/// Adds what has a proof used no more: with that of a domain proved ahead of any order, the domain goes.
async fn drop_proof(
    store: &Store,
    change: &mut Change,
    proof: &RecordedProof,
    by: Actor,
    now: Timestamp,
) -> Result<(), AppError> {
    if let Some(id) = proof.prevalidation {
        let found = store.prevalidation_of(proof.reseller, id).await?;
        return discard(change, found.ok_or_else(|| no_such_domain(id))?, now);
    }
    change.drop_proof(proof, now);
    if let Some(order) = proof.order {
        change.insert_event(&Event {
            id: store.next_id(Sequence::Row).await?,
            order,
            issuance: None,
            at: now,
            actor: by,
            kind: EventKind::ProofDropped,
            detail: Some(told(proof)),
        });
    }
    Ok(())
}

/// What a proof is of, in few words.
fn told(proof: &RecordedProof) -> String {
    let (method, domain) = (proof.proved.method.as_str(), &proof.proved.domain);
    format!("{domain} by {method}")
}
