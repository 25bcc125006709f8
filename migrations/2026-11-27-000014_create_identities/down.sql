drop table oidc_flows;
drop table identities;
