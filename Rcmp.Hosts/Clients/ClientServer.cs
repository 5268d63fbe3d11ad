using System.Text.Json;
using Rcmp.DataPath;
using Rcmp.Hosts.Chaos;
using Rcmp.Hosts.Cli;
using Rcmp.Hosts.Workloads;

namespace Rcmp.Hosts.Clients;

/// <summary>The inside of a client process: carries out requests, one after the other, until its input ends.</summary>
internal sealed class ClientServer(PoolClient pool, TextReader input, TextWriter output)
{
    // More addresses than lines fit into the caches: else a large range would be measured as a small one.
    private const int BaselineAddresses = 4 << 20;
    private static readonly TimeSpan BaselineTime = TimeSpan.FromSeconds(2);

    private readonly Lock _lock = new();

    public async Task RunAsync(CancellationToken ct)
    {
        Send(new ClientReply { Kind = ClientReply.Ready, Rack = pool.Info.Rack.Value, PageSize = pool.Info.PageSize });
        while (await Task.Run(input.ReadLine, CancellationToken.None).WaitAsync(ct) is { } line)
        {
            try
            {
                var request = JsonSerializer.Deserialize<ClientRequest>(line, JsonOutput.Options) ?? throw new JsonException("an empty request");
                Send(await ExecuteAsync(request, ct));
            }
            catch (Exception failure) when (!ct.IsCancellationRequested)
            {
                var (exitCode, text) = Failures.Describe(failure, ct);
                Send(new ClientReply { Kind = ClientReply.Failed, Error = text, ExitCode = exitCode });
            }
        }
    }

    private async Task<ClientReply> ExecuteAsync(ClientRequest request, CancellationToken ct)
    {
        var done = new ClientReply { Kind = ClientReply.Done };
        switch (request.Kind)
        {
            case ClientRequest.Allocate:
                return done with { Address = await pool.AllocatePagesAsync(request.Pages, null, ct) };
            case ClientRequest.Free:
                await pool.FreePagesAsync(request.Address, request.Pages, ct);
                return done;
            case ClientRequest.Fill:
                await FillAsync(request, ct);
                return done;
            case ClientRequest.Store:
                return done with { Files = await new FileTransfer(pool).StoreAsync(request.Files, SendProgress, ct) };
            case ClientRequest.Verify:
                return done with { Mismatches = await new FileTransfer(pool).VerifyAsync(request.Files, SendProgress, ct) };
            case ClientRequest.Run:
                var runner = new WorkloadRunner(pool, () => pool.Statistics, request.Workload ?? throw new JsonException("no workload"));
                return done with { Report = await runner.RunAsync(report => Send(new ClientReply { Kind = ClientReply.Progress, Report = report }), ct) };
            case ClientRequest.Baseline:
                var times = Baseline(request.Workload ?? throw new JsonException("no workload"));
                return done with { RackHitMeanNs = Math.Round(times.RackHitMeanNs, 2), PlainCopyMeanNs = Math.Round(times.PlainCopyMeanNs, 2) };
            case ClientRequest.Chaos:
                await RunChaosAsync(request.Assignment ?? throw new JsonException("no assignment"), ct);
                return done;
            default:
                throw new JsonException($"unknown request '{request.Kind}'");
        }
    }

    private async Task RunChaosAsync(ChaosAssignment assignment, CancellationToken ct)
    {
        using var journal = new ChaosJournal(assignment.Journal);
        using var history = new HistoryWriter(pool, assignment.History, assignment.Client, assignment.Start, journal);
        using var over = CancellationTokenSource.CreateLinkedTokenSource(ct);
        var bringing = new PageBringer(pool, assignment.Layout, assignment.History, assignment.Client, journal, assignment.Seed).RunAsync(over.Token);
        var working = new ChaosWorker(pool, assignment.Layout, assignment.Client, journal, history, assignment.Seed).RunAsync(over.Token);
        // Whichever of them fails ends the client's work; what they write to stays until both have ended.
        await Task.WhenAny(working, bringing);
        await over.CancelAsync();
        try
        {
            await Task.WhenAll(working, bringing);
        }
        catch (OperationCanceledException) when (!ct.IsCancellationRequested && bringing.IsCompletedSuccessfully)
        {
            // The worker's last rest was cut short by the line above.
        }
    }

    private HitBenchmarkResult Baseline(WorkloadSpec spec)
    {
        var source = new AddressSource(spec, pool.Info.PageSize, 0, spec.Seed);
        var addresses = new GAddr[BaselineAddresses];
        for (var i = 0; i < addresses.Length; i++) addresses[i] = source.Next();
        return new HitBenchmark(pool, addresses, spec.Payload).Run(BaselineTime);
    }

    /// <summary>Writes every byte once, so that the pages are real memory before anything is measured.</summary>
    private async Task FillAsync(ClientRequest request, CancellationToken ct)
    {
        var chunk = new byte[1 << 20];
        new Random(1).NextBytes(chunk);
        var length = request.Pages * pool.Info.PageSize;
        for (long offset = 0; offset < length; offset += chunk.Length)
            await pool.WriteAsync(request.Address + offset, chunk.AsMemory(0, (int)Math.Min(chunk.Length, length - offset)), ct);
    }

    private void SendProgress(long bytes) => Send(new ClientReply { Kind = ClientReply.Progress, Bytes = bytes });

    private void Send(ClientReply reply)
    {
        lock (_lock) JsonOutput.Write(output, reply);
    }
}
