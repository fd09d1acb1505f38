//! Who may hold names of a registry, by what is told of them.

use chancery_domain::contacts::ContactId;
use chancery_domain::eligibility::Criterion;
use chancery_domain::resellers::Reseller;
use futures_util::{StreamExt, TryStreamExt, stream};

use crate::{App, AppError, PARALLEL_READS};

impl App {
    /// Which of these criteria each of these contacts meets, as far as it tells, in the order asked.
    pub async fn eligibility(
        &self,
        reseller: &Reseller,
        ids: &[ContactId],
        criteria: &[Criterion],
    ) -> Result<Vec<(ContactId, Vec<(Criterion, bool)>)>, AppError> {
        let one = async |id: ContactId| {
            let contact = self.contact(reseller, id).await?;
            let met = criteria.iter().map(|one| (*one, one.holds(&contact)));
            Ok((id, met.collect()))
        };
        stream::iter(ids.to_vec())
            .map(one)
            .buffered(PARALLEL_READS)
            .try_collect()
            .await
    }
}
