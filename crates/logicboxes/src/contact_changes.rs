//! `contacts/`: modify, set-details, delete.

use chancery_app::{AppError, Noun};
use chancery_domain::contact_types::LATER_GROUPS;
use chancery_domain::contacts::{ContactEvent, ContactId};

use crate::details;
use crate::errors::Obstacle;
use crate::hashtable::Hashtable;
use crate::routes::{Answer, Call};

/// `contacts/modify`
pub(crate) async fn modify(call: Call) -> Answer {
    let parameters = &call.parameters;
    let id = ContactId(parameters.required_integer("contact-id")?);
    let details = details::read(parameters)?;
    let attributes = parameters.map("attr")?;
    let event = call
        .app
        .modify_contact(&call.reseller, id, &details, &attributes)
        .await?;
    Ok(done(&event, "Mod", "Modification of Contact Details").into())
}

/// `contacts/set-details`
pub(crate) async fn set_details(call: Call) -> Answer {
    let parameters = &call.parameters;
    let id = ContactId(parameters.required_integer("contact-id")?);
    let attributes = parameters.map("attr")?;
    let keys = parameters.required_list("product-key")?;
    let known = keys
        .iter()
        .map(|key| LATER_GROUPS.into_iter().find(|known| known == key));
    // A key that nobody knows is one that the contact's type does not have.
    let groups: Vec<&str> = known.map(Option::unwrap_or_default).collect();
    let told = call
        .app
        .tell_attributes(&call.reseller, id, &groups, &attributes)
        .await?;
    Ok(told.into())
}

/// `contacts/delete`
pub(crate) async fn delete(call: Call) -> Answer {
    let id = ContactId(call.parameters.required_integer("contact-id")?);
    let deleted = call.app.delete_contact(&call.reseller, id).await;
    let event = deleted.map_err(|error| match error {
        AppError::NotFound {
            what: Noun::Contact,
            ..
        } => Obstacle::NotAllowed,
        other => other.into(),
    })?;
    Ok(done(&event, "Del", "Deletion of Contact").into())
}

/// What is told of an action that is over. Some clients look at `status`, some at `actionstatus`.
fn done(event: &ContactEvent, kind: &'static str, description: &'static str) -> Hashtable {
    const SUCCESS: &str = "Success";
    let mut table = Hashtable::new();
    table.put("entityid", event.contact);
    table.put("eaqid", event.id);
    table.put("actiontype", kind);
    table.put("actiontypedesc", description);
    table.put("actionstatus", SUCCESS);
    table.put(
        "actionstatusdesc",
        format!("{description} completed successfully"),
    );
    table.put("status", SUCCESS);
    table
}
