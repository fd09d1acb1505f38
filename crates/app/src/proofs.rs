//! Proofs on record: which of them serve an order, and what becomes of them when they are dropped.
//!
//! A proof serves the order it was obtained for, its later certificates and its renewals. More is the reseller's
//! choice, which an operator sets: the orders of one customer, or all orders of the reseller.

use chancery_domain::Timestamp;
use chancery_domain::authorizations::Authorization;
use chancery_domain::issuances::Issuance;
use chancery_domain::names::DomainName;
use chancery_domain::orders::Order;
use chancery_domain::resellers::{ProofScope, ResellerId};
use chancery_domain::validity::days;
use chancery_store::authorizations::Holder;
use futures_util::{StreamExt, TryStreamExt, stream};

use crate::{App, AppError, PARALLEL_READS};

impl App {
    /// What is proved about the domains of these names and serves an order, fresh enough to be used today. The
    /// order may be about to be placed.
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
        Ok(held.into_iter().flatten().collect())
    }

    /// Whom a reseller's proofs serve, for work that nobody asked for just now.
    pub(crate) async fn proof_scope(&self, reseller: ResellerId) -> Result<ProofScope, AppError> {
        let found = self.store.reseller(reseller).await?;
        Ok(found.map_or(ProofScope::Order, |reseller| reseller.settings.proof_scope))
    }

    /// Forgets the proofs of a run that may not be used any more: grown too old, or dropped since it began. Tells
    /// whose names they are.
    pub(crate) async fn unusable_proofs(
        &self,
        issuance: &mut Issuance,
        now: Timestamp,
    ) -> Result<Vec<DomainName>, AppError> {
        let mut forgotten = issuance.forget_stale(&self.rules, now);
        if issuance.names.iter().any(|control| control.proof.is_some()) {
            let (reseller, since) = (issuance.reseller, issuance.created_at);
            let dropped = self.store.dropped_proofs(reseller, since).await?;
            forgotten.extend(issuance.forget_dropped(&dropped));
        }
        Ok(forgotten)
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
    holders
}
