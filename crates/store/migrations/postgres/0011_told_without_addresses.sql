-- What a message was about stays in the history, whom it went to as an address does not: an erased person's
-- would outlive them.
update events set detail = case
        when detail like 'csr_wanted:%' then 'csr_wanted'
        when detail like 'control_wanted:%' then 'control_wanted'
        when detail like 'certificate_ending:%' then 'certificate_ending'
        when detail like 'order_ending:%' then 'order_ending'
    end
    where kind = 'person_told' and detail like '%@%';

-- Nor do the words of a mail server, which quote it.
update jobs set last_error = null where last_error like '%@%' and parked_at is null;
