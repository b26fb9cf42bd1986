//! The ids a site gives out: functions of its cloud id and a record's number, so that equal loads give equal ids.

use super::entity::Entity;
use uuid::Uuid;

/// The id of the record with this number.
pub(super) fn record(cloud: Uuid, entity: Entity, number: u32) -> String {
    match entity {
        Entity::Customer => format!("qm:{cloud}:{}", uuid(cloud, entity, number)),
        Entity::Organization => (u64::from(number) + 1).to_string(),
        Entity::Product => uuid(cloud, entity, number).to_string(),
    }
}

/// The UUID inside the id of a customer or product.
pub(super) fn uuid(cloud: Uuid, entity: Entity, number: u32) -> Uuid {
    Uuid::new_v5(&cloud, format!("{entity}/{number}").as_bytes())
}

/// The UUID inside what may be the id of a customer or product of this site.
pub(super) fn uuid_in(cloud: Uuid, entity: Entity, id: &str) -> Option<Uuid> {
    let text = match entity {
        Entity::Customer => id
            .strip_prefix("qm:")?
            .strip_prefix(&*cloud.to_string())?
            .strip_prefix(':')?,
        Entity::Organization => return None,
        Entity::Product => id,
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

/// The id of the entitlement that gives a product to a customer or organization.
pub(super) fn entitlement(cloud: Uuid, owner: Entity, number: u32, product: u32) -> Uuid {
    let name = format!("entitlement/{owner}/{number}/{product}");
    Uuid::new_v5(&cloud, name.as_bytes())
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
    }
}
