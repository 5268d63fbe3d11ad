using Rcmp.Protocol.Messages;

namespace Rcmp.DataPath;

/// <summary>Whole pages: what the rack's daemon is asked for. All of it runs on the pool's own threads.</summary>
internal sealed partial class PoolClient
{
    public ValueTask<GAddr> AllocatePagesAsync(long count, AllocationOptions? options = null, CancellationToken ct = default)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(count, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan((ulong)count, _geometry.SequenceMax, nameof(count));
        return new ValueTask<GAddr>(OnWorkers(() => AllocateRangeAsync(count, (options ?? AllocationOptions.Default).Lifetime, ct)));
    }

    public ValueTask FreePagesAsync(GAddr address, long count, CancellationToken ct = default)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(count, 1);
        if (count > long.MaxValue >> _pageShift)
            throw new ArgumentException($"{count} pages from {address} pass the end of the address space.", nameof(count));
        CheckRange(address, count << _pageShift);
        if (_geometry.OffsetOf(address) != 0)
            throw new ArgumentException($"The address {address} is not the first of a page of {_geometry.PageSize} bytes.", nameof(address));
        return new ValueTask(OnWorkers(() => FreeRangeAsync(_geometry.PageOf(address), count, ct)));
    }

    public ValueTask<GAddr> AllocateAsync(long bytes, CancellationToken ct = default)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(bytes, 1);
        return new ValueTask<GAddr>(OnWorkers(() => _slabs.AllocateAsync(bytes, ct)));
    }

    public ValueTask FreeAsync(GAddr address, CancellationToken ct = default)
    {
        CheckRange(address, 1);
        return new ValueTask(OnWorkers(() => _slabs.FreeAsync(address, ct)));
    }

    public ValueTask<PinnedPage> PinAsync(GAddr address, CancellationToken ct = default)
    {
        CheckRange(address, 1);
        EnterSlow();
        try
        {
            if (!ct.IsCancellationRequested && TryPin(address) is { } here)
                return ValueTask.FromResult(here);
        }
        finally
        {
            ExitSlow();
        }

        return new ValueTask<PinnedPage>(OnWorkers(() => BringAndPinAsync(address, ct)));
    }

    public ValueTask<PageLocation> LocateAsync(GAddr address, CancellationToken ct = default)
    {
        CheckRange(address, 1);
        return new ValueTask<PageLocation>(OnWorkers(() => FindAsync(address, ct)));
    }

    /// <summary>Runs on the pool's threads, holding the mapping.</summary>
    private Task<T> OnWorkers<T>(Func<Task<T>> function)
    {
        EnterSlow();
        return _workers.Run(async () =>
        {
            try
            {
                return await function();
            }
            finally
            {
                ExitSlow();
            }
        });
    }

    internal async Task<GAddr> AllocateRangeAsync(long count, PageLifetime lifetime, CancellationToken ct)
    {
        var request = new AllocatePages(_grant.Token, NewRequestId(), count, lifetime == PageLifetime.Session);
        var patience = new Patience(_options.Timeout);
        while (true)
        {
            // The same id again: the daemon finds the rows of a request that it has carried out.
            var (reply, error) = await TryAskAsync(request, patience, ct, () => FreeLateAsync(request));
            switch (reply)
            {
                case PagesAllocated allocated:
                    await AcknowledgeAsync(allocated.First, count, patience, ct);
                    return _geometry.AddressOf(allocated.First);
                case RequestDone { Status: RequestStatus.Exhausted } done:
                    throw new PoolExhaustedException($"No room for {count} pages of {_geometry.PageSize} bytes: {done.Message}");
                case RequestDone { Status: not (RequestStatus.Unavailable or RequestStatus.OutcomeUnknown) } done:
                    throw new PoolException($"{count} pages could not be allocated: {done.Message}");
            }

            var reason = (reply as RequestDone)?.Message ?? error?.Message;
            if (patience.IsOver)
                throw new PoolException(
                    $"{count} pages could not be allocated within rcmp.client.timeout = {Seconds(_options.Timeout)}: {reason} What was allocated is freed when this session ends.",
                    true, error);
            await PauseAsync(ct);
        }
    }

    /// <summary>Until every rack that has a part knows that the client has the address, the pages end with its session: nobody may see the address before.</summary>
    private async Task AcknowledgeAsync(PageId first, long count, Patience patience, CancellationToken ct)
    {
        var acknowledgement = new AcknowledgeAllocation(_grant.Token, NewRequestId(), first, count);
        void GiveBack()
        {
            if (IsClosed) _control.Tell(new FreePages(_grant.Token, NewRequestId(), first, count));
            else StartWithoutCaller(() => FreeUntilDoneAsync(first, count));
        }

        while (true)
        {
            var (reply, error) = await TryAskAsync(acknowledgement, patience, ct, GiveBack);
            if (reply is RequestDone { Status: RequestStatus.Ok })
                return;
            if (patience.IsOver)
            {
                GiveBack();
                throw new PoolException(
                    $"{count} pages were allocated, but not all racks that have a part answered within rcmp.client.timeout = {Seconds(_options.Timeout)}: they are freed again.", true, error);
            }

            await PauseAsync(ct);
        }
    }

    private async Task<PageLocation> FindAsync(GAddr address, CancellationToken ct)
    {
        var page = _geometry.PageOf(address);
        var patience = new Patience(_options.Timeout);
        // The same id again: an answer to the first attempt, which may say why there is none, is one to the second.
        var request = new LocatePage(_grant.Token, NewRequestId(), page);
        while (true)
        {
            var (reply, error) = await TryAskAsync(request, patience, ct, null);
            switch (reply)
            {
                case PageLocated found:
                    return new PageLocation(
                        _geometry.AddressOf(page), page, found.Owner, (long)found.Epoch.Value, found.Phase,
                        [.. found.Heat.Select(static heat => new RackHeat(heat.Rack, heat.Heat))], found.LastDecision);
                case RequestDone { Status: RequestStatus.PageNotFound }:
                    throw new PageNotFoundException($"There is no page at {address}: it was never allocated, or has been freed.");
                case RequestDone { Status: RequestStatus.Invalid or RequestStatus.Mismatch } done:
                    throw new PoolException($"The page at {address} could not be located: {done.Message}");
            }

            if (patience.IsOver)
                throw NotInTime("located", address, (reply as RequestDone)?.Message ?? error?.Message, error);
            await PauseAsync(ct);
        }
    }

    private async Task<PinnedPage> BringAndPinAsync(GAddr address, CancellationToken ct)
    {
        var patience = new Patience(_options.Timeout);
        var request = new BringPage(_grant.Token, NewRequestId(), _geometry.PageOf(address));
        string? reason = null;
        while (true)
        {
            if (TryPin(address) is { } pinned)
                return pinned;
            var (reply, error) = await TryAskAsync(request, patience, ct, null);
            var done = reply as RequestDone;
            if (done is { Status: RequestStatus.PageNotFound })
                throw new PageNotFoundException($"There is no page at {address}: it was never allocated, or has been freed.");
            if (done is { Status: RequestStatus.Exhausted })
                throw new PoolExhaustedException($"The page at {address} cannot be brought to rack {_grant.Rack}: {done.Message}");
            if (TryPin(address) is { } brought)
                return brought;
            reason = done?.Message ?? reason;
            if (patience.IsOver)
                throw NotInTime("brought to this rack", address, reason ?? error?.Message, error);
            await PauseAsync(ct);
        }
    }

    /// <summary>Asks once, within what is left. An error that a repeat may mend is returned, others are thrown.</summary>
    private async Task<(ISessionReply? Reply, Exception? Error)> TryAskAsync(ISessionRequest request, Patience patience, CancellationToken ct, Action? cancelled)
    {
        ct.ThrowIfCancellationRequested();
        using var stopping = CancellationTokenSource.CreateLinkedTokenSource(ct, _closing.Token);
        try
        {
            return (await _control.AskAsync(request, patience.Attempt, CancellationToken.None).WaitAsync(stopping.Token), null);
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested)
        {
            cancelled?.Invoke();
            ct.ThrowIfCancellationRequested();
            throw Closed();
        }
        catch (Exception e) when (e is TimeoutException or PoolException { IsTransient: true })
        {
            return (null, e);
        }
    }

    /// <summary>The caller has cancelled, but the request is on its way: what it gets is freed again. If that fails the session's end frees it, since nobody acknowledges it.</summary>
    private void FreeLateAsync(AllocatePages request) => StartWithoutCaller(async () =>
        await _control.AskAsync(request, _options.Timeout, CancellationToken.None) is PagesAllocated late && await FreeUntilDoneAsync(late.First, request.Count));

    private void StartWithoutCaller(Func<Task<bool>> function) => _ = _workers.Run(function)
        .ContinueWith(static task => task.Exception, CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);

    private async Task PauseAsync(CancellationToken ct)
    {
        ct.ThrowIfCancellationRequested();
        ThrowIfClosed();
        await _workers.Delay(TimeSpan.FromMilliseconds(PauseMillisecondsMax));
    }

    private PageUnavailableException NotInTime(string what, GAddr address, string? reason, Exception? error) =>
        new($"The page at {address} could not be {what} within rcmp.client.timeout = {Seconds(_options.Timeout)}: {reason}", error);

    private static string Seconds(TimeSpan time) => $"{time.TotalSeconds:0.###}s";

    /// <summary>The time that a call has for all its attempts.</summary>
    private sealed class Patience(TimeSpan total)
    {
        private readonly long _started = System.Diagnostics.Stopwatch.GetTimestamp();

        public bool IsOver => Left <= TimeSpan.Zero;

        /// <summary>A third of the whole, so that a lost message is repeated in time; never less than a little.</summary>
        public TimeSpan Attempt
        {
            get
            {
                var share = total / 3;
                var left = Left;
                return left < share ? (left > Least ? left : Least) : share;
            }
        }

        private static readonly TimeSpan Least = TimeSpan.FromMilliseconds(10);

        private TimeSpan Left => total - System.Diagnostics.Stopwatch.GetElapsedTime(_started);
    }
}
