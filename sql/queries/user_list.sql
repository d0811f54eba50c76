-- The list of users.
--
-- A page is found first, on users alone, and then shown. In the order of names it is merged
-- from the four statuses: inside of each the indexes have the names in order, whatever else
-- the list is narrowed to. `ranks` says in which order the statuses come, one number each
-- for pending, active, inactive, locked: all alike by name; different by status; 1 for
-- those who sink to the bottom (blocked_position). A status that nobody wants, or that lies
-- before the cursor, is folded away: these statements are planned with their values.
-- A search (user_search_...) for what is rare finds everybody first, which the trigrams are
-- quick at, and sorts; what is common is met soon by going through the statuses in order.
-- The newest 2,000 users tell which it is.
-- In the order of creation a page follows the ids, which grow with time (UUIDv7).

-- fragment: user_list_filter
u.org_id = :org_id AND u.anonymised_at IS NULL
  AND (:kind::text IS NULL OR u.kind = :kind::text)
  AND (:role_id::uuid IS NULL OR u.role_id = :role_id::uuid)
  AND (:email::text IS NULL OR lower(u.email) = lower(:email::text))
  AND (:username::text IS NULL OR lower(u.username) = lower(:username::text))
  AND (:external_id::text IS NULL OR u.external_id = :external_id::text)
  AND (:updated_since::timestamptz IS NULL OR u.updated_at >= :updated_since::timestamptz)
  -- Said so that no index of trigrams fits, and that the planner expects many: whoever looks for
  -- what is rare says so himself.
  AND (:search::text IS NULL OR CASE WHEN u.search LIKE lower(:search::text) THEN 1 ELSE 0 END > 0)
  AND (:department_id::uuid IS NULL OR u.department_id = :department_id::uuid)
  AND (:group_id::uuid IS NULL OR EXISTS (
      SELECT FROM rollcall.group_member g WHERE g.org_id = u.org_id AND g.group_id = :group_id::uuid AND g.user_id = u.id))
  AND (:incomplete::boolean IS NULL OR :incomplete::boolean = coalesce(NOT u.attributes ?& need.keys, false))
  AND :{day_off_filter}

-- fragment: user_list_statuses
(:status::text[] IS NULL OR u.status = ANY (:status::text[]))

-- fragment: search_sample
SELECT count(*) FILTER (WHERE newest.search LIKE lower(:search::text)) < 8 AS is_rare
    FROM (SELECT u.search FROM rollcall.users u WHERE u.org_id = :org_id ORDER BY u.id DESC LIMIT 2000) newest

-- fragment: by_status_forward
(SELECT (:ranks::integer[])[1] AS rank, u.sort_name, u.id
FROM rollcall.users u :{required_of_role}
WHERE u.status = 'pending' AND (:status::text[] IS NULL OR 'pending' = ANY (:status::text[]))
  AND :{user_list_filter}
  AND (:after_id::uuid IS NULL OR (:ranks::integer[])[1] > :after_rank::integer OR (:ranks::integer[])[1] = :after_rank::integer
      AND (u.sort_name, u.id) > (:after_key::text COLLATE rollcall.names, :after_id::uuid))
ORDER BY u.sort_name, u.id
LIMIT :limit::integer)
UNION ALL
(SELECT (:ranks::integer[])[2] AS rank, u.sort_name, u.id
FROM rollcall.users u :{required_of_role}
WHERE u.status = 'active' AND (:status::text[] IS NULL OR 'active' = ANY (:status::text[]))
  AND :{user_list_filter}
  AND (:after_id::uuid IS NULL OR (:ranks::integer[])[2] > :after_rank::integer OR (:ranks::integer[])[2] = :after_rank::integer
      AND (u.sort_name, u.id) > (:after_key::text COLLATE rollcall.names, :after_id::uuid))
ORDER BY u.sort_name, u.id
LIMIT :limit::integer)
UNION ALL
(SELECT (:ranks::integer[])[3] AS rank, u.sort_name, u.id
FROM rollcall.users u :{required_of_role}
WHERE u.status = 'inactive' AND (:status::text[] IS NULL OR 'inactive' = ANY (:status::text[]))
  AND :{user_list_filter}
  AND (:after_id::uuid IS NULL OR (:ranks::integer[])[3] > :after_rank::integer OR (:ranks::integer[])[3] = :after_rank::integer
      AND (u.sort_name, u.id) > (:after_key::text COLLATE rollcall.names, :after_id::uuid))
ORDER BY u.sort_name, u.id
LIMIT :limit::integer)
UNION ALL
(SELECT (:ranks::integer[])[4] AS rank, u.sort_name, u.id
FROM rollcall.users u :{required_of_role}
WHERE u.status = 'locked' AND (:status::text[] IS NULL OR 'locked' = ANY (:status::text[]))
  AND :{user_list_filter}
  AND (:after_id::uuid IS NULL OR (:ranks::integer[])[4] > :after_rank::integer OR (:ranks::integer[])[4] = :after_rank::integer
      AND (u.sort_name, u.id) > (:after_key::text COLLATE rollcall.names, :after_id::uuid))
ORDER BY u.sort_name, u.id
LIMIT :limit::integer)

-- name: user_list_forward (org_id, status, kind, role_id, email, username, external_id, updated_since, search, department_id, group_id, incomplete, vacation, assignable, at, ranks, after_rank, after_key, after_id, limit, language)
SELECT :{user_view}, page.rank || page.sort_name AS cursor_key
FROM (
    SELECT * FROM (
        :{by_status_forward}
    ) merged
    ORDER BY rank, sort_name, id
    LIMIT :limit::integer
) page
JOIN rollcall.users u ON u.org_id = :org_id AND u.id = page.id
:{user_view_joins}
ORDER BY page.rank, page.sort_name, page.id;

-- name: user_search_forward (org_id, status, kind, role_id, email, username, external_id, updated_since, search, department_id, group_id, incomplete, vacation, assignable, at, ranks, after_rank, after_key, after_id, limit, language)
WITH sample AS MATERIALIZED (
    :{search_sample}
),
found AS MATERIALIZED (
    SELECT (:ranks::integer[])[CASE u.status WHEN 'pending' THEN 1 WHEN 'active' THEN 2 WHEN 'inactive' THEN 3 ELSE 4 END] AS rank, u.sort_name, u.id
    FROM rollcall.users u :{required_of_role}
    WHERE (SELECT is_rare FROM sample) AND u.search LIKE lower(:search::text) AND :{user_list_statuses} AND :{user_list_filter}
)
SELECT :{user_view}, page.rank || page.sort_name AS cursor_key
FROM (
    SELECT * FROM (
        (SELECT *
        FROM found
        WHERE (:after_id::uuid IS NULL OR rank > :after_rank::integer OR rank = :after_rank::integer
              AND (sort_name, id) > (:after_key::text COLLATE rollcall.names, :after_id::uuid))
        ORDER BY rank, sort_name, id
        LIMIT :limit::integer)
        UNION ALL
        (SELECT *
        FROM (
            :{by_status_forward}
        ) many
        WHERE NOT (SELECT is_rare FROM sample))
    ) merged
    ORDER BY rank, sort_name, id
    LIMIT :limit::integer
) page
JOIN rollcall.users u ON u.org_id = :org_id AND u.id = page.id
:{user_view_joins}
ORDER BY page.rank, page.sort_name, page.id;

-- fragment: by_status_backward
(SELECT (:ranks::integer[])[1] AS rank, u.sort_name, u.id
FROM rollcall.users u :{required_of_role}
WHERE u.status = 'pending' AND (:status::text[] IS NULL OR 'pending' = ANY (:status::text[]))
  AND :{user_list_filter}
  AND (:after_id::uuid IS NULL OR (:ranks::integer[])[1] > :after_rank::integer OR (:ranks::integer[])[1] = :after_rank::integer
      AND (u.sort_name, u.id) < (:after_key::text COLLATE rollcall.names, :after_id::uuid))
ORDER BY u.sort_name DESC, u.id DESC
LIMIT :limit::integer)
UNION ALL
(SELECT (:ranks::integer[])[2] AS rank, u.sort_name, u.id
FROM rollcall.users u :{required_of_role}
WHERE u.status = 'active' AND (:status::text[] IS NULL OR 'active' = ANY (:status::text[]))
  AND :{user_list_filter}
  AND (:after_id::uuid IS NULL OR (:ranks::integer[])[2] > :after_rank::integer OR (:ranks::integer[])[2] = :after_rank::integer
      AND (u.sort_name, u.id) < (:after_key::text COLLATE rollcall.names, :after_id::uuid))
ORDER BY u.sort_name DESC, u.id DESC
LIMIT :limit::integer)
UNION ALL
(SELECT (:ranks::integer[])[3] AS rank, u.sort_name, u.id
FROM rollcall.users u :{required_of_role}
WHERE u.status = 'inactive' AND (:status::text[] IS NULL OR 'inactive' = ANY (:status::text[]))
  AND :{user_list_filter}
  AND (:after_id::uuid IS NULL OR (:ranks::integer[])[3] > :after_rank::integer OR (:ranks::integer[])[3] = :after_rank::integer
      AND (u.sort_name, u.id) < (:after_key::text COLLATE rollcall.names, :after_id::uuid))
ORDER BY u.sort_name DESC, u.id DESC
LIMIT :limit::integer)
UNION ALL
(SELECT (:ranks::integer[])[4] AS rank, u.sort_name, u.id
FROM rollcall.users u :{required_of_role}
WHERE u.status = 'locked' AND (:status::text[] IS NULL OR 'locked' = ANY (:status::text[]))
  AND :{user_list_filter}
  AND (:after_id::uuid IS NULL OR (:ranks::integer[])[4] > :after_rank::integer OR (:ranks::integer[])[4] = :after_rank::integer
      AND (u.sort_name, u.id) < (:after_key::text COLLATE rollcall.names, :after_id::uuid))
ORDER BY u.sort_name DESC, u.id DESC
LIMIT :limit::integer)

-- name: user_list_backward (org_id, status, kind, role_id, email, username, external_id, updated_since, search, department_id, group_id, incomplete, vacation, assignable, at, ranks, after_rank, after_key, after_id, limit, language)
SELECT :{user_view}, page.rank || page.sort_name AS cursor_key
FROM (
    SELECT * FROM (
        :{by_status_backward}
    ) merged
    ORDER BY rank, sort_name DESC, id DESC
    LIMIT :limit::integer
) page
JOIN rollcall.users u ON u.org_id = :org_id AND u.id = page.id
:{user_view_joins}
ORDER BY page.rank, page.sort_name DESC, page.id DESC;

-- name: user_search_backward (org_id, status, kind, role_id, email, username, external_id, updated_since, search, department_id, group_id, incomplete, vacation, assignable, at, ranks, after_rank, after_key, after_id, limit, language)
WITH sample AS MATERIALIZED (
    :{search_sample}
),
found AS MATERIALIZED (
    SELECT (:ranks::integer[])[CASE u.status WHEN 'pending' THEN 1 WHEN 'active' THEN 2 WHEN 'inactive' THEN 3 ELSE 4 END] AS rank, u.sort_name, u.id
    FROM rollcall.users u :{required_of_role}
    WHERE (SELECT is_rare FROM sample) AND u.search LIKE lower(:search::text) AND :{user_list_statuses} AND :{user_list_filter}
)
SELECT :{user_view}, page.rank || page.sort_name AS cursor_key
FROM (
    SELECT * FROM (
        (SELECT *
        FROM found
        WHERE (:after_id::uuid IS NULL OR rank > :after_rank::integer OR rank = :after_rank::integer
              AND (sort_name, id) < (:after_key::text COLLATE rollcall.names, :after_id::uuid))
        ORDER BY rank, sort_name DESC, id DESC
        LIMIT :limit::integer)
        UNION ALL
        (SELECT *
        FROM (
            :{by_status_backward}
        ) many
        WHERE NOT (SELECT is_rare FROM sample))
    ) merged
    ORDER BY rank, sort_name DESC, id DESC
    LIMIT :limit::integer
) page
JOIN rollcall.users u ON u.org_id = :org_id AND u.id = page.id
:{user_view_joins}
ORDER BY page.rank, page.sort_name DESC, page.id DESC;

-- The ids of a page in the order of creation: exports follow it, too.
-- fragment: page_oldest
SELECT u.id
    FROM rollcall.users u :{required_of_role}
    WHERE :{user_list_statuses} AND :{user_list_filter}
      AND (:after_id::uuid IS NULL OR u.id > :after_id::uuid)
    ORDER BY u.id
    LIMIT :limit::integer

-- Behind the CTE sample.
-- fragment: page_search_oldest
SELECT id FROM (
        (SELECT u.id
        FROM rollcall.users u :{required_of_role}
        WHERE (SELECT is_rare FROM sample) AND u.search LIKE lower(:search::text) AND :{user_list_statuses} AND :{user_list_filter}
          AND (:after_id::uuid IS NULL OR u.id > :after_id::uuid))
        UNION ALL
        (SELECT u.id
        FROM rollcall.users u :{required_of_role}
        WHERE NOT (SELECT is_rare FROM sample) AND :{user_list_statuses} AND :{user_list_filter}
          AND (:after_id::uuid IS NULL OR u.id > :after_id::uuid)
        ORDER BY u.id
        LIMIT :limit::integer)
    ) either
    ORDER BY id
    LIMIT :limit::integer

-- name: user_list_oldest (org_id, status, kind, role_id, email, username, external_id, updated_since, search, department_id, group_id, incomplete, vacation, assignable, at, after_id, limit, language)
SELECT :{user_view}
FROM (
    :{page_oldest}
) page
JOIN rollcall.users u ON u.org_id = :org_id AND u.id = page.id
:{user_view_joins}
ORDER BY page.id;

-- name: user_list_newest (org_id, status, kind, role_id, email, username, external_id, updated_since, search, department_id, group_id, incomplete, vacation, assignable, at, after_id, limit, language)
SELECT :{user_view}
FROM (
    SELECT u.id
    FROM rollcall.users u :{required_of_role}
    WHERE :{user_list_statuses} AND :{user_list_filter}
      AND (:after_id::uuid IS NULL OR u.id < :after_id::uuid)
    ORDER BY u.id DESC
    LIMIT :limit::integer
) page
JOIN rollcall.users u ON u.org_id = :org_id AND u.id = page.id
:{user_view_joins}
ORDER BY page.id DESC;

-- name: user_search_oldest (org_id, status, kind, role_id, email, username, external_id, updated_since, search, department_id, group_id, incomplete, vacation, assignable, at, after_id, limit, language)
WITH sample AS MATERIALIZED (
    :{search_sample}
)
SELECT :{user_view}
FROM (
    :{page_search_oldest}
) page
JOIN rollcall.users u ON u.org_id = :org_id AND u.id = page.id
:{user_view_joins}
ORDER BY page.id;

-- name: user_search_newest (org_id, status, kind, role_id, email, username, external_id, updated_since, search, department_id, group_id, incomplete, vacation, assignable, at, after_id, limit, language)
WITH sample AS MATERIALIZED (
    :{search_sample}
)
SELECT :{user_view}
FROM (
    SELECT id FROM (
        (SELECT u.id
        FROM rollcall.users u :{required_of_role}
        WHERE (SELECT is_rare FROM sample) AND u.search LIKE lower(:search::text) AND :{user_list_statuses} AND :{user_list_filter}
          AND (:after_id::uuid IS NULL OR u.id < :after_id::uuid))
        UNION ALL
        (SELECT u.id
        FROM rollcall.users u :{required_of_role}
        WHERE NOT (SELECT is_rare FROM sample) AND :{user_list_statuses} AND :{user_list_filter}
          AND (:after_id::uuid IS NULL OR u.id < :after_id::uuid)
        ORDER BY u.id DESC
        LIMIT :limit::integer)
    ) either
    ORDER BY id DESC
    LIMIT :limit::integer
) page
JOIN rollcall.users u ON u.org_id = :org_id AND u.id = page.id
:{user_view_joins}
ORDER BY page.id DESC;

-- name: user_count (org_id, status, kind, role_id, email, username, external_id, updated_since, search, department_id, group_id, incomplete, vacation, assignable, at)
SELECT count(*) AS total
FROM rollcall.users u :{required_of_role}
WHERE :{user_list_statuses} AND :{user_list_filter}
  AND (:search::text IS NULL OR u.search LIKE lower(:search::text));

-- Where inactive and locked users stand in a list by name.
-- name: user_list_load (org_id)
SELECT p.blocked_position = 'bottom' AS blocked_sink
FROM rollcall.policy p
WHERE p.org_id = :org_id;
