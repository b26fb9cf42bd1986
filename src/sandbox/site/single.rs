//! Single calls that write: what each does at once, and what it answers.

use super::change::{Change, Grant, Put, Write};
use super::entity::Entity;
use super::failure::{Failure, not_found};
use super::fields::{FIELD_EXISTS, Field, FieldEdit};
use super::item::Item;
use super::read::definition;
use super::{Refusal, Site};
use crate::api::contract::{Contract, keys};
use crate::api::fold;
use crate::model::clock::UnixMillis;
use serde_json::Value;

impl Site {
    /// Writes one record: the seed and single calls. Gives its id.
    ///
    /// # Errors
    /// All the reasons against it.
    pub(in crate::sandbox) fn write(
        &mut self,
        now: UnixMillis,
        entity: Entity,
        item: &Item,
    ) -> Result<String, Vec<Failure>> {
        let put = self.decide_record(entity, item)?;
        let number = put.number;
        self.wrote(now, Write::Put(put));
        Ok(self.id(entity, number))
    }

    /// The same, refused in the words of a single call.
    ///
    /// # Errors
    /// All the reasons against it, in one.
    pub(in crate::sandbox) fn put(
        &mut self,
        now: UnixMillis,
        entity: Entity,
        item: &Item,
    ) -> Result<String, Refusal> {
        self.write(now, entity, item).map_err(|failures| {
            let reasons: Vec<_> = failures.into_iter().map(|failure| failure.error).collect();
            Refusal::bad_request(reasons.join("; "))
        })
    }

    /// `POST /product`: creates one, also where the name exists. No rule about that is known, and a loader must not rely
    /// on one.
    ///
    /// # Errors
    /// When the name is blank.
    pub(in crate::sandbox) fn create_product(
        &mut self,
        now: UnixMillis,
        name: &str,
    ) -> Result<String, Refusal> {
        let number = self.table(Entity::Product).next();
        self.name_product(now, number, true, name)?;
        Ok(self.id(Entity::Product, number))
    }

    /// `PUT /product/{id}`, by the same rule.
    ///
    /// # Errors
    /// When there is no such product, or the name is blank.
    pub(in crate::sandbox) fn rename_product(
        &mut self,
        now: UnixMillis,
        id: &str,
        name: &str,
    ) -> Result<(), Refusal> {
        let number = self.find(Entity::Product, id)?;
        self.name_product(now, number, false, name)
    }

    fn name_product(
        &mut self,
        now: UnixMillis,
        number: u32,
        created: bool,
        name: &str,
    ) -> Result<(), Refusal> {
        let name = name.trim();
        if name.is_empty() {
            return Err(Refusal::bad_request("Invalid name"));
        }
        let table = self.table(Entity::Product);
        let key = if created {
            table.fold(name).into_owned()
        } else {
            self.key(Entity::Product, number)
        };
        self.tolerates(Entity::Product, &key)?;
        let mut put = Put::new(Entity::Product, number, created);
        put.name = Some(name.to_owned());
        self.wrote(now, Write::Put(put));
        Ok(())
    }

    /// `PUT /organization/{id}`.
    ///
    /// # Errors
    /// When there is no such organization, or the name is blank or another's.
    pub(in crate::sandbox) fn rename_organization(
        &mut self,
        now: UnixMillis,
        id: &str,
        name: String,
    ) -> Result<(), Refusal> {
        self.find(Entity::Organization, id)?;
        let mut item = Item::update(id.to_owned());
        item.name = Some(name);
        self.put(now, Entity::Organization, &item).map(drop)
    }

    /// `PUT /customer/account/{id}`.
    ///
    /// # Errors
    /// When there is no such Customer Account, or the name is blank.
    pub(in crate::sandbox) fn name_account(
        &mut self,
        now: UnixMillis,
        id: &str,
        display_name: String,
    ) -> Result<(), Refusal> {
        self.find_account(id)?;
        let mut item = Item::update(id.to_owned());
        item.display_name = Some(display_name);
        self.put(now, Entity::Customer, &item).map(drop)
    }

    /// `DELETE /customer/account/{id}`.
    ///
    /// # Errors
    /// When there is no such Customer Account.
    pub(in crate::sandbox) fn delete_account(
        &mut self,
        now: UnixMillis,
        id: &str,
    ) -> Result<(), Refusal> {
        let number = self.find_account(id)?;
        self.wrote(now, Write::Deleted(Entity::Customer, number));
        Ok(())
    }

    /// Deletes an organization, product or entitlement.
    ///
    /// # Errors
    /// When there is no such record.
    pub(in crate::sandbox) fn delete(
        &mut self,
        now: UnixMillis,
        entity: Entity,
        id: &str,
    ) -> Result<(), Refusal> {
        let number = self.find(entity, id)?;
        self.wrote(now, Write::Deleted(entity, number));
        Ok(())
    }

    /// `PUT …/details?fieldName=`: sets one field; no values clear it.
    ///
    /// # Errors
    /// When there is no such record or field, or the field does not take the values.
    pub(in crate::sandbox) fn set_detail(
        &mut self,
        now: UnixMillis,
        entity: Entity,
        id: &str,
        field: &str,
        values: Vec<String>,
    ) -> Result<Value, Refusal> {
        let number = self.find(entity, id)?;
        let checked = self.fields[entity as usize].check(field, &values);
        let field = checked.map_err(|bad| Refusal::bad_request(bad.error()))?;
        let (owner, owner_number) = match self.entitlements.grant(number) {
            Some(grant) if entity == Entity::Entitlement => (grant.owner, grant.number),
            _ => (entity, number),
        };
        self.tolerates(owner, &self.key(owner, owner_number))?;
        let mut put = Put::new(entity, number, false);
        put.details = vec![(field, values.clone())];
        self.wrote(now, Write::Put(put));
        let field = self.fields[entity as usize].get(field);
        let mut body = field.map(definition).unwrap_or_default();
        body[keys::VALUES] = values.into();
        Ok(body)
    }

    /// `POST …/entitlement`: gives a product, also where it was given before. No rule about that is known.
    ///
    /// # Errors
    /// When there is no such owner or product.
    pub(in crate::sandbox) fn give(
        &mut self,
        now: UnixMillis,
        contract: &Contract,
        owner: Entity,
        id: &str,
        product: &str,
    ) -> Result<Value, Refusal> {
        let number = self.find(owner, id)?;
        let product = self.table(Entity::Product).by_id(self.cloud, product);
        let product = product.ok_or_else(|| Refusal::bad_request(not_found(Entity::Product)))?;
        self.tolerates(owner, &self.key(owner, number))?;
        let grant = Grant {
            owner,
            number,
            product,
        };
        let entitlement = self.entitlements.next();
        self.wrote(now, Write::Entitled(entitlement, grant));
        let given = self.id(Entity::Entitlement, entitlement);
        self.entitlement(contract, &given)
    }

    /// `POST …/details`: defines a field.
    ///
    /// # Errors
    /// When there is one with its name, or no room for another.
    pub(in crate::sandbox) fn define(
        &mut self,
        now: UnixMillis,
        entity: Entity,
        field: Field,
    ) -> Result<Value, Refusal> {
        if let Some(reason) = self.against(entity, &field) {
            return Err(Refusal::bad_request(reason));
        }
        let body = definition(&field);
        self.wrote(now, Write::Defined(entity, field));
        Ok(body)
    }

    /// `PUT …/details/{fieldName}`: renames a field, or gives it other options. Values are kept, also those that are no
    /// longer options.
    ///
    /// # Errors
    /// When there is no such field, the name is another's, or the options do not fit.
    pub(in crate::sandbox) fn edit_field(
        &mut self,
        now: UnixMillis,
        entity: Entity,
        name: &str,
        edit: FieldEdit,
    ) -> Result<Value, Refusal> {
        let number = self.find_field(entity, name)?;
        let fields = &self.fields[entity as usize];
        let kind = fields.get(number).map(|field| field.kind);
        let edit = kind.map_or(Ok(edit.clone()), |kind| edit.checked(kind))?;
        if fields.find(&edit.name).is_some_and(|other| other != number) {
            return Err(Refusal::bad_request(FIELD_EXISTS));
        }
        if let Some(words) = self.temper.refuses_field(entity, &fold::name(name)) {
            return Err(Refusal::bad_request(words));
        }
        self.wrote(now, Write::Edited(entity, number, edit));
        let edited = self.fields[entity as usize].get(number);
        Ok(edited.map(definition).unwrap_or_default())
    }

    /// `DELETE …/details/{fieldName}`.
    ///
    /// # Errors
    /// When there is no such field.
    pub(in crate::sandbox) fn remove_field(
        &mut self,
        now: UnixMillis,
        entity: Entity,
        name: &str,
    ) -> Result<(), Refusal> {
        let number = self.find_field(entity, name)?;
        let field = self.fields[entity as usize].get(number);
        let name = field.map_or_else(String::new, |field| field.name.clone());
        self.wrote(now, Write::Removed(entity, number, name));
        Ok(())
    }

    fn find_field(&self, entity: Entity, name: &str) -> Result<u16, Refusal> {
        let number = self.fields[entity as usize].find(name);
        number.ok_or_else(|| Refusal::not_found("Detail field not found"))
    }

    /// Refuses a write about a record of this natural key, folded, that the policy has something against. Entitlements
    /// count as their owners, which profiles give products to as well.
    pub(super) fn tolerates(&self, entity: Entity, key: &str) -> Result<(), Refusal> {
        match self.temper.refuses(entity, key) {
            Some(words) => Err(Refusal::bad_request(words)),
            None => Ok(()),
        }
    }

    /// Applies a write that was found good, and has it written down.
    pub(super) fn wrote(&mut self, now: UnixMillis, write: Write) {
        self.apply(now, None, &write);
        self.changes.push(Change::Wrote(now, write));
    }
}
