namespace Rcmp.Hosts.Chaos;

/// <summary>Brings pages into the client's rack again and again, beside its other work. A policy is content with a page after some moves; here the pages that are
/// written, and those of the recorded histories, are pulled to and fro by all racks as long as the run lasts.</summary>
internal sealed class PageBringer(IMemoryPool pool, ChaosLayout layout, HistoryPlan plan, int client, ChaosJournal journal, ulong seed)
{
    private static readonly TimeSpan Rest = TimeSpan.FromMilliseconds(50);

    private readonly Random _random = new((int)seed ^ (int)(seed >> 32) ^ 1);

    /// <summary>Until it is cancelled.</summary>
    public async Task RunAsync(CancellationToken ct)
    {
        while (!ct.IsCancellationRequested)
        {
            try
            {
                await BringAsync(Choose(), ct);
            }
            catch (PageNotFoundException e)
            {
                // None of these pages is ever freed.
                journal.Violation($"client {client}: {e.Message}");
            }
            catch (PoolException e) when (e.IsTransient)
            {
                // Whoever has the page is dead or cut off.
            }
            catch (OperationCanceledException) when (ct.IsCancellationRequested)
            {
                return;
            }
            await Task.Delay(Rest, ct).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private async Task BringAsync(GAddr page, CancellationToken ct)
    {
        var owner = (await pool.LocateAsync(page, ct)).Owner;
        using var pinned = await pool.PinAsync(page, ct);
        if (owner != pool.Info.Rack) journal.CountMove();
    }

    private GAddr Choose()
    {
        var window = plan.WindowNow();
        return window < plan.Windows && _random.Next(2) == 0
            ? plan.Word(window, _random.Next(HistoryPlan.Words))
            : layout.Register(_random.Next(layout.Clients), _random.Next(ChaosLayout.Registers));
    }
}
