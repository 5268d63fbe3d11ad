using Rcmp.Hosts.Linearizability;

namespace Rcmp.Hosts.Chaos;

/// <summary>A client's operations on the shared words, recorded in a file per window. What was under way when the process was killed is in it as begun.</summary>
internal sealed class HistoryWriter(IMemoryPool pool, HistoryPlan plan, int client, int start, ChaosJournal journal) : IDisposable
{
    /// <summary>Operations on one word one after the other: others do the same on it at that time.</summary>
    private const int Run = 8;

    /// <summary>Of a window: bounds the file, and the search of the checker.</summary>
    private const int OperationsMax = 10_000;

    private const int StartsMax = 10_000;

    private HistoryRecorder? _recorder;
    private long _window = -1;

    /// <summary>What explanations call the process.</summary>
    public static int NameOf(int client, int start) => (client + 1) * StartsMax + start;

    public void Step(Random random)
    {
        if (!TakeWindow() || _recorder!.Recorded >= OperationsMax) return;
        var word = random.Next(HistoryPlan.Words);
        if (!plan.IsFavourite(_window, word, client) && random.Next(4) != 0) word = Favourite(word);
        for (var i = 0; i < Run; i++)
        {
            _recorder.Random(pool, plan.Word(_window, word), random);
            journal.CountOperation();
            if (_recorder.Failure is not { } failure) continue;
            if (failure.IsTransient) journal.CountRefused();
            else if (failure is not PoolOutcomeUnknownException) journal.Violation($"client {client}: {failure.Message}");
            return;
        }
    }

    public void Dispose() => _recorder?.Dispose();

    private bool TakeWindow()
    {
        var now = plan.WindowNow();
        if (now >= plan.Windows) return false;
        if (now == _window) return true;
        _recorder?.Dispose();
        // Says that the files of the windows before are complete, and so comes after the last operation of them.
        journal.HistoryWindow = now;
        _window = now;
        _recorder = new HistoryRecorder(plan.File(now, client, start), NameOf(client, start));
        return true;
    }

    private int Favourite(int word)
    {
        for (var i = 0; i < plan.Clients && !plan.IsFavourite(_window, word, client); i++) word = (word + 1) % HistoryPlan.Words;
        return word;
    }
}
