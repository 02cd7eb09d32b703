//! Who called, whatever form the name of it has.
//!
//! A record shows `arn:aws:sts::ACCOUNT:assumed-role/ROLE/SESSION`; people configure `arn:aws:iam::ACCOUNT:role/ROLE`,
//! perhaps with a path before the role's name. Both are compared by account and role.

/// Account and role (or user) of an ARN, such that two forms of the same caller are equal.
pub(super) fn caller(arn: &str) -> String {
    let mut parts = arn.splitn(6, ':');
    let (Some(account), Some(resource)) = (parts.nth(4), parts.next()) else { return arn.to_owned() };
    let role = match resource.split_once('/') {
        Some(("assumed-role", rest)) => rest.split('/').next(),
        Some(("role", rest)) => rest.rsplit('/').next(),
        _ => None,
    };
    role.map_or_else(|| arn.to_owned(), |role| format!("{account}:role/{role}"))
}

#[cfg(test)]
mod tests {
    use super::caller;

    #[test]
    fn a_session_a_role_and_a_role_with_a_path_are_the_same_caller() {
        let role = caller("arn:aws:iam::111122223333:role/chat-api");
        assert_eq!(caller("arn:aws:sts::111122223333:assumed-role/chat-api/task-1"), role);
        assert_eq!(caller("arn:aws:sts::111122223333:assumed-role/chat-api"), role, "a session may be left out");
        assert_eq!(caller("arn:aws:iam::111122223333:role/teams/ai/chat-api"), role);
        assert_ne!(caller("arn:aws:sts::999988887777:assumed-role/chat-api/task-1"), role);
        assert_ne!(caller("arn:aws:iam::111122223333:user/chat-api"), role);
        assert_eq!(caller("somebody"), "somebody");
    }
}
