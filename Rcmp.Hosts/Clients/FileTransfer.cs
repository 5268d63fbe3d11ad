using System.Security.Cryptography;

namespace Rcmp.Hosts.Clients;

/// <summary>Puts files into the pool, and reads them back to compare. Several at a time, so that the wire is not idle while hashes are computed.</summary>
internal sealed class FileTransfer(IMemoryPool pool)
{
    private const int ChunkBytes = 1 << 20;
    private const int FilesAtOnce = 4;

    /// <summary>Stores each file in consecutive pages of its own.</summary>
    public async Task<IReadOnlyList<StoredFile>> StoreAsync(IReadOnlyList<StoredFile> files, Action<long> progress, CancellationToken ct)
    {
        var stored = new StoredFile[files.Count];
        await ForEachAsync(files, async (i, buffer) =>
        {
            stored[i] = await StoreAsync(files[i], buffer, ct);
            progress(stored[i].Length);
        }, ct);
        return stored;
    }

    /// <summary>The paths of files whose bytes in the pool are not those that were stored.</summary>
    public async Task<IReadOnlyList<string>> VerifyAsync(IReadOnlyList<StoredFile> files, Action<long> progress, CancellationToken ct)
    {
        var good = new bool[files.Count];
        await ForEachAsync(files, async (i, buffer) =>
        {
            good[i] = await HashAsync(files[i], buffer, ct) == files[i].Sha256;
            progress(files[i].Length);
        }, ct);
        return [.. files.Where((_, i) => !good[i]).Select(f => f.Path)];
    }

    private async Task<StoredFile> StoreAsync(StoredFile file, byte[] buffer, CancellationToken ct)
    {
        using var input = File.OpenRead(file.Path);
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        var length = input.Length;
        var pageSize = pool.Info.PageSize;
        var address = length == 0 ? GAddr.Null : await pool.AllocatePagesAsync((length + pageSize - 1) / pageSize, null, ct);
        for (long offset = 0; offset < length;)
        {
            var count = await input.ReadAtLeastAsync(buffer.AsMemory(0, (int)Math.Min(buffer.Length, length - offset)), (int)Math.Min(buffer.Length, length - offset), false, ct);
            if (count == 0) throw new IOException($"{file.Path} became shorter while it was read");
            hash.AppendData(buffer, 0, count);
            await pool.WriteAsync(address + offset, buffer.AsMemory(0, count), ct);
            offset += count;
        }
        return file with { Length = length, Address = address, Sha256 = Convert.ToHexStringLower(hash.GetHashAndReset()) };
    }

    private async Task<string> HashAsync(StoredFile file, byte[] buffer, CancellationToken ct)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        for (long offset = 0; offset < file.Length;)
        {
            var part = buffer.AsMemory(0, (int)Math.Min(buffer.Length, file.Length - offset));
            await pool.ReadAsync(file.Address + offset, part, ct);
            hash.AppendData(part.Span);
            offset += part.Length;
        }
        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }

    private static async Task ForEachAsync(IReadOnlyList<StoredFile> files, Func<int, byte[], Task> body, CancellationToken ct)
    {
        var next = -1;
        async Task Worker()
        {
            var buffer = new byte[ChunkBytes];
            for (var i = Interlocked.Increment(ref next); i < files.Count; i = Interlocked.Increment(ref next))
            {
                ct.ThrowIfCancellationRequested();
                await body(i, buffer);
            }
        }

        await Task.WhenAll(Enumerable.Range(0, FilesAtOnce).Select(_ => Task.Run(Worker, ct)));
    }
}
