//! `contacts/validate-registrant`

use chancery_domain::contacts::ContactId;
use chancery_domain::eligibility::Criterion;

use crate::errors::Obstacle;
use crate::hashtable::Hashtable;
use crate::routes::{Answer, Call};

/// `contacts/validate-registrant`
pub(crate) async fn validate_registrant(call: Call) -> Answer {
    let parameters = &call.parameters;
    parameters.required_list("contact-id")?;
    let ids: Vec<ContactId> = parameters
        .integers("contact-id")?
        .into_iter()
        .map(ContactId)
        .collect();
    let names = parameters.required_list("eligibility-criteria")?.iter();
    let criteria: Option<Vec<Criterion>> = names.map(|name| Criterion::parse(name)).collect();
    let criteria = criteria.ok_or(Obstacle::Malformed("eligibility-criteria"))?;
    let mut answer = Hashtable::new();
    for (id, met) in call
        .app
        .eligibility(&call.reseller, &ids, &criteria)
        .await?
    {
        let mut of_contact = Hashtable::new();
        for (criterion, is_met) in met {
            of_contact.put(criterion.as_str(), is_met);
        }
        answer.put_value(id.to_string(), of_contact);
    }
    Ok(answer.into())
}
