namespace Rcmp.Hosts.Chaos;

/// <summary>What a client process does in a run: reads, writes and additions, each noted in the journal before and after, and operations on words that all clients share.</summary>
internal sealed class ChaosWorker(IMemoryPool pool, ChaosLayout layout, int client, ChaosJournal journal, HistoryWriter history, ulong seed)
{
    // Bursts with rests: the machine is shared by all processes of the run, and a starved daemon would be a fault nobody injected.
    private const int Burst = 64;
    private const int ChurnInterval = 2048;
    private static readonly TimeSpan Rest = TimeSpan.FromMilliseconds(2);

    private readonly Random _random = new((int)seed ^ (int)(seed >> 32));
    private readonly ulong[] _seen = new ulong[ChaosLayout.Counters];
    private long _steps;

    /// <summary>Until the journal says stop.</summary>
    public async Task RunAsync(CancellationToken ct)
    {
        journal.TakeUp();
        while (!journal.StopRequested && !ct.IsCancellationRequested)
        {
            for (var i = 0; i < Burst && !journal.StopRequested; i++) Step();
            if (_steps % ChurnInterval == 0) await ChurnAsync(ct);
            await Task.Delay(Rest, ct);
        }
    }

    private void Step()
    {
        _steps++;
        var choice = _random.Next(100);
        // Each of them is several operations.
        if (_random.Next(32) == 0) history.Step(_random);
        else if (choice < 45) Write(_random.Next(ChaosLayout.Registers));
        else if (choice < 65) Check(_random.Next(ChaosLayout.Registers));
        else if (choice < 85) Add(_random.Next(ChaosLayout.Counters));
        else AddByCompareExchange(_random.Next(ChaosLayout.Counters));
        journal.CountOperation();
    }

    private void Write(int register)
    {
        var stamp = ChaosStamp.Of(client, register, journal.BeginWrite(register));
        switch (Try(() => pool.Write(layout.Register(client, register), stamp)))
        {
            case Outcome.Done: journal.WriteAcknowledged(register); break;
            case Outcome.Refused: journal.WriteRefused(register); break;
            default: journal.WriteUnknown(register); break;
        }
    }

    private void Check(int register)
    {
        ulong value = 0;
        if (Try(() => value = pool.Read<ulong>(layout.Register(client, register))) != Outcome.Done) return;
        var record = journal.ReadRegister(register);
        if (!ChaosCheck.MayHold(record, client, register, value))
            journal.Violation($"client {client} read 0x{value:x16} from its register {register} at {layout.Register(client, register)}; acknowledged is write {record.Acknowledged}, unknown {string.Join(", ", record.Unknown)}");
    }

    private void Add(int counter)
    {
        ulong before = 0;
        journal.BeginAdd(counter);
        var outcome = Try(() => before = pool.FetchAdd(layout.Counter(counter), 1));
        Settle(counter, outcome);
        if (outcome == Outcome.Done) Saw(counter, before);
    }

    private void AddByCompareExchange(int counter)
    {
        ulong expected = 0, found = 0;
        if (Try(() => expected = pool.Read<ulong>(layout.Counter(counter))) != Outcome.Done) return;
        Saw(counter, expected);
        journal.BeginAdd(counter);
        var outcome = Try(() => found = pool.CompareExchange(layout.Counter(counter), expected + 1, expected));
        Settle(counter, outcome == Outcome.Done && found != expected ? Outcome.Refused : outcome);
        if (outcome == Outcome.Done) Saw(counter, found);
    }

    private void Settle(int counter, Outcome outcome)
    {
        if (outcome == Outcome.Done) journal.AddAcknowledged(counter);
        else if (outcome == Outcome.Refused) journal.AddRefused(counter);
    }

    /// <summary>Counters only rise.</summary>
    private void Saw(int counter, ulong value)
    {
        if (value < _seen[counter]) journal.Violation($"client {client} read {value} from counter {counter} at {layout.Counter(counter)} after it had read {_seen[counter]}");
        _seen[counter] = Math.Max(_seen[counter], value);
    }

    /// <summary>Pages that come and go with the session; new ones are zero.</summary>
    private async Task ChurnAsync(CancellationToken ct)
    {
        const int Count = 3;
        try
        {
            var pages = await pool.AllocatePagesAsync(Count, new AllocationOptions { Lifetime = PageLifetime.Session }, ct);
            var content = new byte[Count * layout.PageSize];
            await pool.ReadAsync(pages, content, ct);
            if (content.AsSpan().ContainsAnyExcept((byte)0)) journal.Violation($"client {client} was given pages at {pages} that are not zero");
            content.AsSpan().Fill((byte)(client + 1));
            await pool.WriteAsync(pages, content, ct);
            await pool.FreePagesAsync(pages, Count, ct);
        }
        catch (Exception e) when (e is PoolOutcomeUnknownException or PoolException { IsTransient: true })
        {
            journal.CountRefused();
        }
    }

    private enum Outcome
    {
        Done,
        Refused,
        Unknown,
    }

    private Outcome Try(Action operation)
    {
        try
        {
            operation();
            return Outcome.Done;
        }
        catch (PoolOutcomeUnknownException)
        {
            return Outcome.Unknown;
        }
        catch (PoolException e) when (e.IsTransient)
        {
            journal.CountRefused();
            return Outcome.Refused;
        }
        catch (PageNotFoundException e)
        {
            // None of these pages is ever freed.
            journal.Violation($"client {client}: {e.Message}");
            return Outcome.Refused;
        }
    }
}
