using Rcmp.Protocol.Messages;

namespace Rcmp.DataPath;

/// <summary>Giving pages back: part by part, and again as long as nobody has answered.</summary>
internal sealed partial class PoolClient
{
    private const long FreesPerRequest = 512;

    /// <exception cref="PageNotFoundException">Some pages were not there; all others are freed.</exception>
    /// <exception cref="PoolOutcomeUnknownException">The same, and they may have been freed by this call; or nobody answered in time.</exception>
    internal async Task<bool> FreeRangeAsync(PageId first, long count, CancellationToken ct)
    {
        long freed = 0;
        string? missing = null;
        var mayBeOurs = false;
        // Each request has the client's whole patience: a large range takes as long as it takes.
        for (var before = 0L; before < count; before += FreesPerRequest)
        {
            var part = await FreePartAsync(first, before, Math.Min(FreesPerRequest, count - before), count, ct);
            freed += part.Completed;
            missing ??= part.Missing;
            mayBeOurs |= part.MayBeOurs;
        }

        if (missing is null)
            return true;
        missing = $"A page to free is not there: {missing}. {Freed(freed, count)}".TrimEnd();
        throw mayBeOurs
            ? new PoolOutcomeUnknownException($"{missing} This call, of which a part got no answer, may have freed it.")
            : new PageNotFoundException(missing);
    }

    /// <returns>How many were freed, and what is said of those that were not there: they may have been freed by this request, if an attempt at it got no answer.</returns>
    private async Task<(long Completed, string? Missing, bool MayBeOurs)> FreePartAsync(PageId first, long before, long part, long count, CancellationToken ct)
    {
        var address = _geometry.AddressOf(first);
        var request = new FreePages(_grant.Token, NewRequestId(), first.Plus(before), part);
        var patience = new Patience(_options.Timeout);
        var maySent = false;
        while (true)
        {
            var (reply, error) = await TryAskAsync(request, patience, ct, null);
            if (reply is RequestDone done)
            {
                switch (done.Status)
                {
                    case RequestStatus.Ok:
                        return (part, null, false);
                    case RequestStatus.PageNotFound:
                        return (done.Completed, done.Message, maySent);
                    case RequestStatus.OutcomeUnknown:
                        maySent = true;
                        break;
                    case not RequestStatus.Unavailable:
                        throw new PoolException($"The pages at {address} could not be freed: {done.Message} {Freed(before + done.Completed, count)}");
                }
            }

            maySent |= error is TimeoutException;
            if (!patience.IsOver)
            {
                await PauseAsync(ct);
                continue;
            }

            var reason = (reply as RequestDone)?.Message ?? error?.Message;
            var text = $"The {count} pages at {address} could not be freed within rcmp.client.timeout = {Seconds(_options.Timeout)}: {reason}";
            throw maySent
                ? new PoolOutcomeUnknownException($"{text} They may have been freed or not.", error)
                : new PageUnavailableException($"{text} {Freed(before + ((reply as RequestDone)?.Completed ?? 0), count)}", error);
        }
    }

    /// <summary>Whichever rack is silent: one that has heard of an acknowledgement keeps its pages for good.</summary>
    private async Task<bool> FreeUntilDoneAsync(PageId first, long count)
    {
        // Held, so that the session does not end before the last word.
        if (!TryEnterSlow())
            return false;
        try
        {
            while (!_closing.IsCancellationRequested)
            {
                if (await TryFreeAsync(first, count))
                    return true;
                await _workers.Delay(TimeSpan.FromMilliseconds(PauseMillisecondsMax));
            }

            _control.Tell(new FreePages(_grant.Token, NewRequestId(), first, count));
            return false;
        }
        finally
        {
            ExitSlow();
        }
    }

    private async Task<bool> TryFreeAsync(PageId first, long count)
    {
        try
        {
            return await FreeRangeAsync(first, count, CancellationToken.None);
        }
        catch (PageNotFoundException)
        {
            return true;
        }
        catch (Exception e) when (e is PageUnavailableException or PoolOutcomeUnknownException or PoolClosedException)
        {
            return false;
        }
    }

    private static string Freed(long completed, long count) => count == 1 ? "" : $"{completed} of {count} pages were freed.";
}
