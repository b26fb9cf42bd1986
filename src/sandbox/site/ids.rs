//! The ids a site gives out: functions of its cloud id and a record's number, so that equal loads give equal ids.
//! Numbers are never given twice, and so ids are not.

use super::entity::Entity;
use uuid::Uuid;

/// What the ids of Atlassian accounts begin with.
const ATLASSIAN: &str = "712020:";

/// The id of the record with this number; of a customer, the one it has as a Customer Account.
pub(super) fn record(cloud: Uuid, entity: Entity, number: u32) -> String {
    match entity {
        Entity::Customer => format!("qm:{cloud}:{}", uuid(cloud, entity, number)),
        Entity::Organization => (u64::from(number) + 1).to_string(),
        Entity::Product => uuid(cloud, entity, number).to_string(),
        Entity::Entitlement => entitlement(cloud, number).to_string(),
    }
}

/// The id of the customer with this number as an Atlassian account.
pub(super) fn atlassian(cloud: Uuid, number: u32) -> String {
    format!("{ATLASSIAN}{}", uuid(cloud, Entity::Customer, number))
}

/// Whether the id is that of an Atlassian account.
pub(super) fn is_atlassian(id: &str) -> bool {
    id.starts_with(ATLASSIAN)
}

/// The UUID inside the id of a customer or product.
pub(super) fn uuid(cloud: Uuid, entity: Entity, number: u32) -> Uuid {
    Uuid::new_v5(&cloud, format!("{entity}/{number}").as_bytes())
}

/// The UUID inside what may be the id of a customer or product of this site.
pub(super) fn uuid_in(cloud: Uuid, entity: Entity, id: &str) -> Option<Uuid> {
    let text = match entity {
        Entity::Customer => match id.strip_prefix(ATLASSIAN) {
            Some(inner) => inner,
            None => id
                .strip_prefix("qm:")?
                .strip_prefix(&*cloud.to_string())?
                .strip_prefix(':')?,
        },
        Entity::Product => id,
        Entity::Organization | Entity::Entitlement => return None,
    };
    Uuid::try_parse(text).ok()
}

/// The number of the organization with this id, if there are that many.
pub(super) fn organization_number(id: &str) -> Option<u32> {
    let number = id.parse::<u32>().ok()?.checked_sub(1)?;
    // "007" and "+7" are not ids
    (id.as_bytes()[0] != b'0' && id.as_bytes()[0] != b'+').then_some(number)
}

/// The id of the task with this number.
pub(super) fn task(cloud: Uuid, number: u32) -> Uuid {
    Uuid::new_v5(&cloud, format!("task/{number}").as_bytes())
}

/// The id of the entitlement with this number, which is its last four bytes: a site has too many to index them.
fn entitlement(cloud: Uuid, number: u32) -> Uuid {
    let mut bytes = Uuid::new_v5(&cloud, b"entitlement").into_bytes();
    bytes[12..].copy_from_slice(&number.to_be_bytes());
    Uuid::from_bytes(bytes)
}

/// The number of the entitlement with this id, if there are that many.
pub(super) fn entitlement_number(cloud: Uuid, id: &str) -> Option<u32> {
    let id = Uuid::try_parse(id).ok()?;
    let (_, number) = id.as_bytes().split_last_chunk()?;
    let number = u32::from_be_bytes(*number);
    (entitlement(cloud, number) == id).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn organization_ids_are_plain_digits_and_nothing_else_is_read_as_one() {
        let cloud = Uuid::nil();
        for number in [0, 6, 4_000_000] {
            let id = record(cloud, Entity::Organization, number);
            assert_eq!(organization_number(&id), Some(number));
        }
        for id in ["", "0", "007", "+7", "-7", " 7", "7.0", "99999999999"] {
            assert_eq!(organization_number(id), None, "{id}");
        }
    }

    #[test]
    fn a_customer_id_is_read_back_only_on_its_own_site() {
        let cloud = Uuid::from_u128(7);
        let id = record(cloud, Entity::Customer, 3);
        let inner = uuid(cloud, Entity::Customer, 3);
        assert_eq!(uuid_in(cloud, Entity::Customer, &id), Some(inner));
        assert_eq!(uuid_in(Uuid::from_u128(8), Entity::Customer, &id), None);
        assert_eq!(uuid_in(cloud, Entity::Customer, "qm:"), None);
        let other = atlassian(cloud, 3);
        assert!(is_atlassian(&other) && !is_atlassian(&id));
        assert_eq!(uuid_in(cloud, Entity::Customer, &other), Some(inner));
    }

    #[test]
    fn an_entitlement_id_is_a_uuid_and_tells_its_number() {
        let cloud = Uuid::from_u128(7);
        for number in [0, 1, u32::MAX] {
            let id = record(cloud, Entity::Entitlement, number);
            assert_eq!(Uuid::try_parse(&id).unwrap().get_version_num(), 5);
            assert_eq!(entitlement_number(cloud, &id), Some(number));
            assert_eq!(entitlement_number(Uuid::nil(), &id), None);
        }
        assert_eq!(entitlement_number(cloud, "none"), None);
    }
}
