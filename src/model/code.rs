//! Every result code, with its cause and cure: the stable list that `csm-loader codes` prints.

use crate::model::outcome::Status;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;

/// Declares the codes once: variant, name in files, status, cause, cure.
macro_rules! codes {
    ($($(#[doc = $doc:literal])+ $variant:ident = $name:literal, $status:ident, $cause:literal, $cure:literal;)+) => {
        /// Why a row did not load. Names are stable: scripts may depend on them.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum Code {
            $($(#[doc = $doc])+ #[serde(rename = $name)] $variant,)+
        }

        impl Code {
            /// Every code, in the order of the documentation.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The code as results files show it.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name),+ }
            }

            /// The status of a row that carries this code.
            #[must_use]
            pub const fn status(self) -> Status {
                match self { $(Self::$variant => Status::$status),+ }
            }

            /// What happened.
            #[must_use]
            pub const fn cause(self) -> &'static str {
                match self { $(Self::$variant => $cause),+ }
            }

            /// What to do about it.
            #[must_use]
            pub const fn cure(self) -> &'static str {
                match self { $(Self::$variant => $cure),+ }
            }
        }
    };
}

codes! {
    // the file
    /// A CSV record has fewer fields than the header.
    CsvTooFewFields = "CSV_TOO_FEW_FIELDS", Rejected,
        "the CSV record has fewer fields than the header",
        "add the missing fields on the named line; a line break inside a cell needs quotes around the cell";
    /// A CSV record has more fields than the header.
    CsvTooManyFields = "CSV_TOO_MANY_FIELDS", Rejected,
        "the CSV record has more fields than the header",
        "quote the cell that contains the delimiter on the named line";
    /// A quoted CSV cell is never closed.
    CsvUnclosedQuote = "CSV_UNCLOSED_QUOTE", Rejected,
        "a quoted cell starts in this record and is never closed",
        "close the quote on the named line, or double a quote that belongs to the text";
    /// A record holds bytes that are not valid in the file's encoding.
    EncodingInvalid = "ENCODING_INVALID", Rejected,
        "the record holds bytes that are not valid in the file's encoding",
        "save the file as UTF-8, or name its encoding (--csv-encoding, or encoding = \"windows-1252\")";
    // the mapping's types
    /// A required value is missing.
    RequiredMissing = "REQUIRED_MISSING", Rejected,
        "a required field has no value in this row",
        "fill the source column, or give the field a default in the mapping";
    /// Not an e-mail address.
    EmailInvalid = "EMAIL_INVALID", Rejected,
        "the value is not an e-mail address",
        "correct the address in the source";
    /// Longer than the field allows.
    TooLong = "TOO_LONG", Rejected,
        "the value is longer than the field allows",
        "shorten it in the source, or with substr() in the mapping";
    /// Shorter than the mapping asks for.
    TooShort = "TOO_SHORT", Rejected,
        "the value is shorter than the mapping's min_length",
        "correct it in the source, or lower min_length";
    /// Not a date in the expected form.
    DateInvalid = "DATE_INVALID", Rejected,
        "the value is not a date in the expected form",
        "correct it in the source, or give the mapping the right format";
    /// Not a number.
    NumberInvalid = "NUMBER_INVALID", Rejected,
        "the value is not a number",
        "write plain digits with a point before decimals, or convert it with sql";
    /// Not a boolean.
    BooleanInvalid = "BOOLEAN_INVALID", Rejected,
        "the value is neither true nor false",
        "use true/false, yes/no or 1/0, or map the words in the mapping";
    /// Not an absolute http or https URL.
    UrlInvalid = "URL_INVALID", Rejected,
        "the value is not an absolute http or https URL",
        "write it with its scheme, as in https://example.com";
    /// Not a phone number.
    PhoneInvalid = "PHONE_INVALID", Rejected,
        "the value is not a valid phone number",
        "write it with its country code (+49…), or set region in the mapping";
    /// Not one of the field's options.
    OptionUnknown = "OPTION_UNKNOWN", Rejected,
        "the value is not one of the options that the mapping lists",
        "correct the value, map it with map, or add the option on the site and in the mapping";
    /// A value has no entry in the field's map.
    ValueUnmapped = "VALUE_UNMAPPED", Rejected,
        "the value has no entry in the field's map, and the field has no default",
        "add it to map, or give the field a default";
    /// A cell cannot be read as the type that `[columns]` gives it.
    CastInvalid = "CAST_INVALID", Rejected,
        "the cell cannot be read as the type that [columns] gives its column",
        "correct the cell, or take the column out of [columns]";
    /// An expression cannot be computed for this row.
    ExpressionFailed = "EXPRESSION_FAILED", Rejected,
        "an SQL expression cannot be computed for this row",
        "correct the cell, or guard the expression (try_cast instead of cast)";
    /// The row breaks a rule of the mapping.
    RuleBroken = "RULE_BROKEN", Rejected,
        "the row breaks a rule of the mapping; the rule's own name stands as the code",
        "correct the row, or change the rule in [rules]";
    /// The row has no value for any detail field of a mapping of detail values.
    NothingToSend = "NOTHING_TO_SEND", Rejected,
        "api = \"details\", and the row has no value for any detail field, so that there is nothing to send for it",
        "fill a source column, give a detail a default or empty = \"clear\", or leave the row out of the source";
    // definitions of detail fields
    /// Not what a detail field can belong to.
    OwnerUnknown = "OWNER_UNKNOWN", Rejected,
        "detail fields belong to customers, organizations or entitlements, and the value is none of them",
        "write customer, organization or entitlement, or map the words in the mapping";
    /// Not a type of detail fields.
    TypeUnknown = "TYPE_UNKNOWN", Rejected,
        "the value is not a type of detail fields",
        "write one of the types that the message lists, or map the words in the mapping";
    /// The options do not fit the type.
    OptionsInvalid = "OPTIONS_INVALID", Rejected,
        "a SELECT or MULTISELECT field lacks options or has too many, or a field of another type has some",
        "correct the row's options or its type";
    // entitlements
    /// Both a customer and an organization.
    OwnerAmbiguous = "OWNER_AMBIGUOUS", Rejected,
        "the row names a customer and an organization, and an entitlement belongs to one of them",
        "leave one of the two empty in this row, or write a row for each";
    // references
    /// The row names an organization that the site does not have.
    OrganizationNotFound = "ORGANIZATION_NOT_FOUND", Rejected,
        "the row names an organization that the site does not have",
        "load the organization first, correct the name, or set on_missing";
    /// The row names a product that the site does not have.
    ProductNotFound = "PRODUCT_NOT_FOUND", Rejected,
        "the row names a product that the site does not have",
        "load the product first, correct the name, or set on_missing";
    // hierarchies
    /// Nobody has the organization that the row names as its parent.
    ParentMissing = "PARENT_MISSING", Rejected,
        "neither the input nor the site has the organization that [hierarchy] names as the row's parent",
        "add the parent to the source, correct its name, or leave it empty";
    /// The row's parent was rejected.
    ParentRejected = "PARENT_REJECTED", Rejected,
        "the row of its parent was rejected, so that the parent will not be there",
        "correct the parent's row, then load both again";
    /// The row is its own ancestor.
    ParentCycle = "PARENT_CYCLE", Rejected,
        "the row's parents lead back to the row itself; the message names the way round",
        "correct the parent of one of the rows that the message names";
    // duplicates
    /// Another row with the same natural key was sent instead.
    DuplicateKey = "DUPLICATE_KEY", Duplicate,
        "another row of the input has the same natural key and stands for it",
        "nothing, if the other row is the right one; otherwise remove one, or choose --duplicates first|last";
    /// Several rows share one natural key and the job refuses all of them.
    DuplicateRejected = "DUPLICATE_REJECTED", Rejected,
        "several rows share this natural key, and duplicates = \"reject\" refuses all of them",
        "leave one row per key in the source";
    // already there
    /// The site already holds this record.
    AlreadyPresent = "ALREADY_PRESENT", Unchanged,
        "the site already holds this record with the same content",
        "nothing to do";
    // the site
    /// The site refused the row.
    SiteRejected = "SITE_REJECTED", Failed,
        "the site refused the row; the message holds its own words",
        "correct what the message names, then load the row again";
    /// The site refused the request that held the row, so none of its rows was written.
    RequestRejected = "REQUEST_REJECTED", Failed,
        "the site refused the whole request that held this row; nothing of it was written",
        "the message holds the site's words; one bad row can refuse its whole batch";
    /// A record that should be created exists already.
    AlreadyExists = "ALREADY_EXISTS", Failed,
        "operation = \"create\", and the site already has this record (in bulk requests: SITE_REJECTED)",
        "use operation = \"upsert\", or remove the row";
    /// The site has a detail field of this name that is not the one described.
    FieldDiffers = "FIELD_DIFFERS", Failed,
        "the site has a detail field of this name with another type or without some of the options; it is never changed",
        "change the field on the site, or correct the row";
    /// A record that should be updated does not exist.
    NotFound = "NOT_FOUND", Failed,
        "the row names or updates a record that the site does not have (in bulk requests: SITE_REJECTED)",
        "use operation = \"upsert\", or correct the row's key";
    /// The record is there, and lacks an organization or a product that the row names.
    AssociationMissing = "ASSOCIATION_MISSING", Failed,
        "the record was written, and does not belong to an organization, or have a product, that the row names",
        "set membership = true in [contract] for organizations, or add on the site what the message names";
    /// The e-mail is that of an Atlassian account, which only its owner can change.
    AtlassianAccount = "ATLASSIAN_ACCOUNT", Failed,
        "the record belongs to an Atlassian account: its name and e-mail are its owner's, and only its id names it",
        "name it by customer_id, and leave email and display_name out; or take the row out of the source";
    /// The row names a customer by an e-mail of which no customer is known.
    CustomerNotFound = "CUSTOMER_NOT_FOUND", Failed,
        "the row names a customer by e-mail, and no customer with this e-mail could be found",
        "load the customer first, map customer_id instead, or set user_search = true in [contract]; a search finds new customers some minutes late";
    /// Some of the row's calls were accepted before one was refused.
    PartlyApplied = "PARTLY_APPLIED", Failed,
        "the row travelled by several calls, of which the first were accepted and a later one was refused",
        "correct what the other reason names, then load the row again: what was written is written once more";
    /// Single calls cannot write the row.
    BulkOnly = "BULK_ONLY", Failed,
        "single calls cannot write this row, while a bulk request can",
        "load the row with route = \"bulk\", or give its record's id";
    // loaded, with a remark
    /// The customer still belongs to organizations that the row does not name.
    MembershipRemains = "MEMBERSHIP_REMAINS", Loaded,
        "the customer still belongs to organizations that the row does not name: loading only adds memberships",
        "nothing, if they are meant; otherwise take the customer out of them on the site";
    // no verdict
    /// The task failed as a whole and the site does not say which rows it wrote.
    TaskFailed = "TASK_FAILED", Unconfirmed,
        "the task ended FAILED; the site may or may not have written the row",
        "look the record up on the site, or load the row again: upsert is safe to repeat";
    /// The site no longer knows the task.
    TaskGone = "TASK_GONE", Unconfirmed,
        "the site no longer knows the task that held the row",
        "look the record up on the site, or load the row again: upsert is safe to repeat";
    /// The task did not end within its deadline.
    TaskTimeout = "TASK_TIMEOUT", Unconfirmed,
        "the task did not end within its deadline",
        "look the record up on the site later, or load the row again: upsert is safe to repeat";
    /// The task reports failures that do not say which rows they mean.
    FailureAmbiguous = "FAILURE_AMBIGUOUS", Unconfirmed,
        "the task reports failures that do not say which of several rows they mean",
        "look the records of this batch up on the site, or load them again: upsert is safe to repeat";
    /// The request was sent and its answer never arrived.
    AnswerLost = "ANSWER_LOST", Unconfirmed,
        "the request was sent, and no answer tells whether it was applied",
        "look the record up on the site, or load the row again: upsert is safe to repeat";
    /// A reading did not show the row, and it was not sent again.
    NotApplied = "NOT_APPLIED", Unconfirmed,
        "the row was sent, however patiently the site was read it did not show it, and it was not sent again",
        "load the row again";
    // not sent
    /// The run stopped before the row was sent.
    RunStopped = "RUN_STOPPED", NotSent,
        "the run stopped before this row was sent",
        "see the run's last message, then load again";
    /// The row's parent did not load.
    ParentNotLoaded = "PARENT_NOT_LOADED", NotSent,
        "the row of its parent did not load, so that this row was not sent",
        "see the result of the parent's row; retry takes both, the parent first";
    /// The request never reached the site.
    SiteUnreachable = "SITE_UNREACHABLE", NotSent,
        "the site could not be reached; the request never left",
        "check the network and the site's address, then load again";
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A code as a row carries it: one of ours, or the name of a rule of the mapping.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(untagged)]
pub enum ReasonCode {
    /// One of the documented codes.
    Known(Code),
    /// The name of a rule in the mapping's `[rules]`.
    Rule(Arc<str>),
}

impl ReasonCode {
    /// The code as results files show it.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Known(code) => code.name(),
            Self::Rule(name) => name,
        }
    }
}

impl From<Code> for ReasonCode {
    fn from(code: Code) -> Self {
        Self::Known(code)
    }
}

impl fmt::Display for ReasonCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_code_has_a_name_of_its_own_a_cause_and_a_cure() {
        let names: HashSet<_> = Code::ALL.iter().map(|code| code.name()).collect();
        assert_eq!(names.len(), Code::ALL.len());
        for code in Code::ALL {
            assert!(
                !code.cause().is_empty() && !code.cure().is_empty(),
                "{code}"
            );
            assert!(
                code.name()
                    .chars()
                    .all(|c| c.is_ascii_uppercase() || c == '_'),
                "{code}"
            );
        }
    }

    #[test]
    fn codes_survive_the_ledger() {
        for code in [
            ReasonCode::from(Code::DateInvalid),
            ReasonCode::Rule("CONTRACT_ENDED".into()),
        ] {
            let text = serde_json::to_string(&code).unwrap();
            assert_eq!(serde_json::from_str::<ReasonCode>(&text).unwrap(), code);
        }
    }
}
